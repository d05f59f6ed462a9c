"""Image sets joined to one, in which each image file is one image."""

import os
from collections.abc import Sequence

import numpy as np

from ehsod_tf.data.columns import (
    BoxColumns,
    assemble_columns,
    select_images,
)
from ehsod_tf.data.image_files import derive_image_id
from ehsod_tf.data.label_states import (
    derive_class_states,
    describe_contradiction,
)
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.errors import DataError
from ehsod_tf.structures import (
    ABSENT,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    ImageSet,
    list_labels,
)
from ehsod_tf.wording import count


@collects_or_raises
def merge_image_sets(image_sets: Sequence[ImageSet], *, findings: Findings) -> ImageSet:
    """Joins image sets; an image file that several sets hold becomes one image.

    Boxes of one set are completed by the labels of others, and labels by labels: an
    unknown state takes the known one. Boxes of several sets come together where each
    has boxes of other classes.

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
            contradict each other or its boxes, or a class of which has boxes in two
            sets.
    """
    _require_same_classes(image_sets)
    joined = _concatenate(image_sets)
    kept = np.ones(len(joined.paths), bool)
    owners = np.arange(len(joined.paths))
    for rows in _find_shared_files(joined.paths):
        kept[rows] = False
        chosen = _merge_rows(joined, rows, findings)
        if chosen is not None:
            kept[chosen] = True
            owners[rows] = chosen
    joined = _move_boxes(joined, owners)
    joined = _separate_ids(joined, kept, image_sets, findings)
    return select_images(joined, kept)


def _require_same_classes(image_sets: Sequence[ImageSet]) -> None:
    if not image_sets:
        raise DataError("there is no image set to merge; name at least one source")
    first = image_sets[0].class_names
    for number, image_set in enumerate(image_sets, start=1):
        if image_set.class_names != first:
            raise DataError(
                f"source {number} has the classes {', '.join(image_set.class_names)}, "
                f"the first one {', '.join(first)}; give both the same class_names"
            )
        if image_set.machine_boxed is not None:
            raise DataError(
                f"source {number} has a detector's boxes, which cannot be mixed; give "
                "them to the whole mixture: read_machine_boxes.source = @read_mixture"
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
    """Merges what rows of one image know into one of them; None if they contradict."""
    states = joined.class_states[rows]
    path, name = joined.paths[rows[0]], joined.image_names[rows[0]]
    is_boxed = states >= PARTLY_BOXED
    if (is_boxed.sum(axis=0) > 1).any():
        message = "two sources have boxes of it; keep one of them"
        findings.add(path, f"image {name}", "boxes", message)
        return None
    labels = np.where(is_boxed, UNKNOWN, states)
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
    # Of each class, the only row that has boxes of it, or none.
    boxed = np.where(is_boxed, states, UNKNOWN).max(axis=0)
    boxed_labels = list_labels(boxed)
    merged, contradicted = derive_class_states(
        boxed_labels, listed, boxed > PARTLY_BOXED
    )
    if contradicted.any():
        message = describe_contradiction(boxed_labels, contradicted, joined.class_names)
        findings.add(path, f"image {name}", "labels", message)
        return None
    chosen = int(rows[np.argmax(is_boxed.any(axis=1))])
    joined.class_states[chosen] = merged
    return chosen


def _move_boxes(image_set: ImageSet, owners: np.ndarray) -> ImageSet:
    """Gives the boxes of each row to the row that stands for its image now."""
    images = np.repeat(np.arange(len(owners)), np.diff(image_set.row_splits))
    if (owners[images] == images).all():
        return image_set
    order = np.argsort(owners[images], kind="stable")
    counts = np.bincount(owners[images], minlength=len(owners))
    return image_set._replace(
        row_splits=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=image_set.boxes[order],
        classes=image_set.classes[order],
        areas=image_set.areas[order],
        ignored=image_set.ignored[order],
    )


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
            f"{count(len(rows), 'image gets an id', 'images get ids')} made of "
            f"{'its name' if len(rows) == 1 else 'their names'} instead"
        )
    return joined._replace(image_ids=image_ids)
