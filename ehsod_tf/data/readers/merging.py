"""Several sources as one image set: boxes here, image-level labels there."""

import os
from collections.abc import Callable, Sequence

import numpy as np

from ehsod_tf.data.columns import (
    BoxColumns,
    assemble_columns,
    select_images,
)
from ehsod_tf.data.image_files import derive_image_id
from ehsod_tf.data.label_states import (
    add_labels_to_boxes,
    describe_contradiction,
)
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.errors import DataError
from ehsod_tf.structures import (
    ABSENT,
    PRESENT,
    UNKNOWN,
    ImageSet,
    combine_states,
    find_boxed,
    list_labels,
)


@collects_or_raises
def read_mixture(
    sources: tuple[Callable[..., ImageSet], ...],
    *,
    class_names: tuple[str, ...] | None = None,
    findings: Findings,
) -> ImageSet:
    """Reads several sources as one data set: boxes here, image-level labels there.

    Args:
        sources: readers that lack nothing but ``class_names`` and ``findings``.
        class_names: the classes; None takes those of the first source for all.
        findings: takes the problems and notes; None raises and warns instead.

    Raises:
        DataError: see `merge_image_sets` and the readers.
    """
    image_sets = []
    for read in sources:
        chosen = {} if class_names is None else {"class_names": class_names}
        image_sets.append(read(findings=findings, **chosen))
        class_names = image_sets[0].class_names
    if len(image_sets) == 1:
        return image_sets[0]
    return merge_image_sets(image_sets, findings=findings)


@collects_or_raises
def merge_image_sets(image_sets: Sequence[ImageSet], *, findings: Findings) -> ImageSet:
    """Joins image sets; an image file that several sets hold becomes one image.

    Boxes of one set are completed by the labels of others, and labels by labels: an
    unknown state takes the known one.

    Args:
        image_sets: sets with the same classes in the same order.
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` in the order of the sets. An image of several sets has the place,
        name and id of the one with boxes, or else of the first. Where an id of a set is
        in an earlier one too, that set gets other ids, made of its image names, with a
        note. `category_ids` are those of the first set.

    Raises:
        DataError: the classes differ; without `findings`, also an image whose labels
            contradict each other or its boxes, or that has boxes in two sets.
    """
    _require_same_classes(image_sets)
    joined = _concatenate(image_sets)
    kept = np.ones(len(joined.paths), bool)
    for rows in _find_shared_files(joined.paths):
        kept[rows] = False
        chosen = _merge_rows(joined, rows, findings)
        if chosen is not None:
            kept[chosen] = True
    joined = _separate_ids(joined, kept, image_sets, findings)
    return select_images(joined, kept)


def _require_same_classes(image_sets: Sequence[ImageSet]) -> None:
    if not image_sets:
        raise DataError("there is no image set to merge; name at least one source")
    first = image_sets[0].class_names
    for number, image_set in enumerate(image_sets[1:], start=2):
        if image_set.class_names != first:
            raise DataError(
                f"source {number} has the classes {', '.join(image_set.class_names)}, "
                f"the first one {', '.join(first)}; give both the same class_names"
            )


def _concatenate(image_sets: Sequence[ImageSet]) -> ImageSet:
    firsts = np.cumsum([0] + [len(image_set.paths) for image_set in image_sets])
    images = [
        first + np.repeat(np.arange(len(s.paths)), np.diff(s.row_splits))
        for first, s in zip(firsts[:-1], image_sets, strict=True)
    ]

    def join(field: str) -> np.ndarray:
        return np.concatenate([getattr(s, field) for s in image_sets])

    return assemble_columns(
        class_names=image_sets[0].class_names,
        category_ids=image_sets[0].category_ids,
        image_ids=join("image_ids"),
        image_names=[name for s in image_sets for name in s.image_names],
        paths=[path for s in image_sets for path in s.paths],
        sizes=join("sizes"),
        boxes=BoxColumns(
            np.concatenate(images).astype(np.int64),
            *map(join, ("boxes", "classes", "areas", "ignored")),
        ),
        class_states=join("class_states"),
    )


def _find_shared_files(paths: Sequence[str]) -> list[np.ndarray]:
    """Returns the rows of each file that several rows stand for."""
    real_folders: dict[str, str] = {}
    rows_of_file: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        folder, name = os.path.split(path)
        if folder not in real_folders:
            real_folders[folder] = os.path.realpath(folder)
        real = os.path.join(real_folders[folder], name)
        if os.path.islink(real):
            real = os.path.realpath(real)
        rows_of_file.setdefault(real, []).append(row)
    return [np.array(rows) for rows in rows_of_file.values() if len(rows) > 1]


def _merge_rows(joined: ImageSet, rows: np.ndarray, findings: Findings) -> int | None:
    """Merges the rows of one image into one of them; None if they contradict."""
    has_boxes = find_boxed(joined.class_states[rows])
    boxed = rows[has_boxes]
    path, name = joined.paths[rows[0]], joined.image_names[rows[0]]
    if len(boxed) > 1:
        message = "two sources have boxes of it; keep one of them"
        findings.add(path, f"image {name}", "boxes", message)
        return None
    labels = joined.class_states[rows[~has_boxes]]
    present, absent = (labels == PRESENT).any(axis=0), (labels == ABSENT).any(axis=0)
    if (present & absent).any():
        class_name = joined.class_names[int(np.argmax(present & absent))]
        message = (
            f"{class_name!r} is present in one source and absent in another; correct "
            "one, or read the other with unlisted = 'unknown'"
        )
        findings.add(path, f"image {name}", "labels", message)
        return None
    listed = np.select([present, absent], [PRESENT, ABSENT], UNKNOWN).astype(np.int8)
    chosen = int(boxed[0]) if len(boxed) else int(rows[0])
    if len(boxed):
        states = list_labels(joined.class_states[chosen])
        listed, contradicted = add_labels_to_boxes(states, listed)
        if contradicted.any():
            message = describe_contradiction(states, contradicted, joined.class_names)
            findings.add(path, f"image {name}", "labels", message)
            return None
    is_boxed = np.full(len(listed), bool(len(boxed)))
    joined.class_states[chosen] = combine_states(listed, is_boxed)
    return chosen


def _separate_ids(
    joined: ImageSet,
    kept: np.ndarray,
    image_sets: Sequence[ImageSet],
    findings: Findings,
) -> ImageSet:
    """Gives new ids to each set that shares one with the sets before it."""
    image_ids = joined.image_ids.copy()
    first = 0
    for number, image_set in enumerate(image_sets, start=1):
        rows = first + np.flatnonzero(kept[first : first + len(image_set.paths)])
        before = image_ids[:first][kept[:first]]
        first += len(image_set.paths)
        if not np.isin(image_ids[rows], before).any():
            continue
        names = [joined.image_names[row] for row in rows]
        image_ids[rows] = [derive_image_id(name) for name in names]
        # Equal names in different folders; the source's number tells them apart.
        if np.isin(image_ids[rows], before).any():
            image_ids[rows] = [derive_image_id(f"{number}/{name}") for name in names]
        findings.note(
            f"source {number} shares image ids with the sources before it; its "
            f"{len(rows)} images get ids made of their names instead"
        )
    return joined._replace(image_ids=image_ids)
