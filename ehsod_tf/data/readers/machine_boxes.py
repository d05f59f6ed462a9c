"""Scored boxes of a detector, for images that people have only labelled."""

import os
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ehsod_tf.data.columns import BoxColumns, add_boxes
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.coco_results import ScoredBoxes, read_results
from ehsod_tf.data.readers.image_folder import FileIndex
from ehsod_tf.errors import ConfigError, DataError, require_choice
from ehsod_tf.structures import (
    PARTLY_BOXED,
    PRESENT,
    ImageSet,
    combine_states,
)
from ehsod_tf.wording import count

KEEP_CHOICES = ("threshold", "best", "raw")


class _Rows(NamedTuple):
    """The scored boxes of the set's images and classes.

    Attributes:
        images: [n] rows of the set.
        classes: [n] class indices.
        boxes: [n, 4] yxyx, clipped to their images.
        scores: [n].
    """

    images: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    def select(self, mask: np.ndarray) -> "_Rows":
        return _Rows(*(column[mask] for column in self))


@collects_or_raises
def read_machine_boxes(
    source: Callable[..., ImageSet],
    results_file: str | os.PathLike,
    *,
    keep: str = "threshold",
    score_threshold: float = 0.5,
    class_names: tuple[str, ...] | None = None,
    findings: Findings,
) -> ImageSet:
    """Reads a source and gives a detector's boxes to its images without boxes.

    Boxes that people have drawn stay alone: their images take none of a detector. The
    labels of an image decide what is taken: of a class that is absent or unknown,
    nothing; of one that is present, the boxes that `keep` says. Such a class is then
    *partly boxed*, as a detector misses some objects, and the image is marked in
    `machine_boxed`: the losses may weigh it less, see docs/method.md.

    Args:
        source: a reader that lacks nothing but ``class_names`` and ``findings``.
        results_file: COCO results, a JSON list of ``image_id``, ``category_id``,
            ``bbox`` and ``score``. Where there are ``file_name`` and
            ``category_name``, as ``ehsod predict`` writes them, these are taken.
        keep: "threshold": of a present class, the boxes from `score_threshold` up;
            "best": the best one alone, whatever its score; "raw": every box from the
            threshold up, whatever the labels say, as if a person had drawn them all.
        score_threshold: in [0, 1].
        class_names: as of the reader.
        findings: takes the problems, and a note of what was taken and what not.

    Returns:
        `ImageSet` of the images of the source.

    Raises:
        DataError: the file cannot be read, or none of its boxes is of an image and a
            class of the source; without `findings`, also any malformed record.
        ConfigError: `keep` or `score_threshold` is out of range.
    """
    require_choice("read_machine_boxes.keep", keep, KEEP_CHOICES)
    if not 0 <= score_threshold <= 1:
        raise ConfigError(
            "read_machine_boxes.score_threshold is from 0 to 1, got "
            f"{score_threshold!r}"
        )
    chosen = {} if class_names is None else {"class_names": class_names}
    image_set = source(findings=findings, **chosen)
    path = os.fspath(results_file)
    scored = read_results(path, findings)
    counts: Counter[str] = Counter()
    rows = _locate(scored, image_set, counts, path, findings)
    taken = _choose(rows, image_set, keep, score_threshold, counts)
    findings.note(_describe(path, len(scored.scores), taken, counts, keep))
    image_set = _attach(image_set, taken, keep)
    return image_set


def _locate(
    scored: ScoredBoxes,
    image_set: ImageSet,
    counts: Counter[str],
    path: str,
    findings: Findings,
) -> _Rows:
    """Finds the images and classes that the boxes are of."""
    images = _find_images(scored, image_set, path, findings)
    classes = _find_classes(scored, image_set)
    counts["of images that are not in the set"] = int((images < 0).sum())
    counts["of other classes"] = int(((images >= 0) & (classes < 0)).sum())
    is_ours = (images >= 0) & (classes >= 0)
    if len(is_ours) and not is_ours.any() and not findings.problems:
        raise DataError(
            f"{path}: none of {count(len(is_ours), 'box', 'boxes')} is of an image "
            "and a class of the set; its image_id or file_name, and category_id or "
            "category_name, must be those of the annotations"
        )
    limits = np.tile(image_set.sizes[images].astype(np.float64), 2)
    boxes = np.clip(scored.boxes, 0.0, limits)
    is_flat = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    counts["without height or width in their image"] = int((is_ours & is_flat).sum())
    rows = _Rows(images, classes, boxes, scored.scores)
    return rows.select(is_ours & ~is_flat)


def _find_images(
    scored: ScoredBoxes, image_set: ImageSet, path: str, findings: Findings
) -> np.ndarray:
    row_of_id = {image_id: row for row, image_id in enumerate(image_set.image_ids)}
    row_of_name: dict[str, int] = {}
    for row, (name, image_path) in enumerate(
        zip(image_set.image_names, image_set.paths, strict=True)
    ):
        row_of_name[name] = row_of_name[os.path.abspath(image_path)] = row
    # A name of another machine, or without a folder, is found by its end.
    row_of_file = {name: row for row, name in enumerate(_list_files(image_set))}
    index = FileIndex(row_of_file)
    found = []
    for image_id, name in zip(scored.image_ids, scored.file_names, strict=True):
        if name is None:
            found.append(row_of_id.get(image_id, -1))
            continue
        if name not in row_of_name:
            row = row_of_name.get(os.path.abspath(name))
            if row is None:
                row = row_of_file.get(index.find_by_name(name), -1)
            row_of_name[name] = row
        found.append(row_of_name[name])
    index.note(path, findings)
    return np.array(found, np.int64)


def _list_files(image_set: ImageSet) -> list[str]:
    """The image files, relative to the innermost folder that holds all of them."""
    paths = list(map(os.path.abspath, image_set.paths))
    top = os.path.commonpath(list(map(os.path.dirname, paths))) if paths else ""
    return [os.path.relpath(path, top).replace(os.sep, "/") for path in paths]


def _find_classes(scored: ScoredBoxes, image_set: ImageSet) -> np.ndarray:
    of_name = {name: index for index, name in enumerate(image_set.class_names)}
    of_id = {number: index for index, number in enumerate(image_set.category_ids)}
    return np.array(
        [
            of_id.get(number, -1) if name is None else of_name.get(name, -1)
            for number, name in zip(
                scored.category_ids, scored.category_names, strict=True
            )
        ],
        np.int64,
    )


def _choose(
    rows: _Rows,
    image_set: ImageSet,
    keep: str,
    score_threshold: float,
    counts: Counter[str],
) -> _Rows:
    """Takes what the labels and scores allow; counts the rest by reason."""
    boxed = image_set.boxed_by_people[rows.images]
    counts["on images that people have boxed"] = int(boxed.sum())
    rows = rows.select(~boxed)
    if keep != "raw":
        labels = image_set.image_labels[rows.images, rows.classes]
        counts["of classes that are absent or unknown there"] = int(
            (labels != PRESENT).sum()
        )
        rows = rows.select(labels == PRESENT)
    if keep == "best":
        is_taken, reason = _find_best(rows), "with a better one of their class"
    else:
        is_taken, reason = rows.scores >= score_threshold, "below the score"
    counts[reason] = int((~is_taken).sum())
    return rows.select(is_taken)


def _find_best(rows: _Rows) -> np.ndarray:
    """[n] bool, the best box of each class in each image; of equal ones the first."""
    order = np.lexsort((-rows.scores, rows.classes, rows.images))
    pairs = np.stack([rows.images[order], rows.classes[order]], axis=1)
    is_first = np.ones(len(order), bool)
    is_first[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    is_best = np.zeros(len(order), bool)
    is_best[order] = is_first
    return is_best


def _attach(image_set: ImageSet, taken: _Rows, keep: str) -> ImageSet:
    heights, widths = (taken.boxes[:, 2:] - taken.boxes[:, :2]).T
    states = image_set.class_states.copy()
    machine = np.zeros(len(image_set.paths), bool)
    machine[taken.images] = True
    shown = np.zeros(states.shape, bool)
    shown[taken.images, taken.classes] = True
    if keep == "raw":
        states[machine] = combine_states(shown[machine], True)
    else:
        states[shown] = PARTLY_BOXED
    columns = BoxColumns(
        images=taken.images,
        boxes=taken.boxes,
        classes=taken.classes.astype(np.int32),
        areas=heights * widths,
        ignored=np.zeros(len(taken.scores), bool),
    )
    image_set = add_boxes(image_set, columns)._replace(class_states=states)
    if keep == "raw" or not machine.any():
        return image_set
    return image_set._replace(machine_boxed=machine)


def _describe(
    path: str, total: int, taken: _Rows, counts: Counter[str], keep: str
) -> str:
    how = " as if a person had drawn them" if keep == "raw" else ""
    num_images = len(np.unique(taken.images))
    text = (
        f"{path}: of {total:,} scored boxes {len(taken.scores):,} are taken{how}, on "
        f"{count(num_images, 'image')}"
    )
    rest = [f"{number:,} {reason}" for reason, number in counts.items() if number]
    return f"{text}; not taken: {', '.join(rest)}" if rest else text
