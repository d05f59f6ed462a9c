"""Who is strong and who is weak: the split, its file, and the supervision it gives."""

import hashlib
import json
import math
import os
from fractions import Fraction
from types import NoneType
from typing import NamedTuple

import numpy as np

from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.splits.stratification import order_by_class_share
from ehsod_tf.errors import DataError
from ehsod_tf.files import open_new
from ehsod_tf.structures import PRESENT, UNKNOWN, ImageSet
from ehsod_tf.wording import count


class Split(NamedTuple):
    """The choice of the images that keep their boxes.

    Attributes:
        seed: what the choice was drawn with; None if it was not drawn but given.
        percent: the share that was asked for, of the images that have boxes; of a
            choice that was given, the share that it is.
        strong_image_ids: ids of the chosen images, ascending.
        stratified: whether the choice was drawn class by class.
    """

    seed: int | None
    percent: float
    strong_image_ids: tuple[int, ...]
    stratified: bool = False


def make_split(
    image_set: ImageSet, percent: float, seed: int, *, stratified: bool = False
) -> Split:
    """Chooses strong images without replacement, exact to one image.

    The images that have boxes are put into an order that depends on the seed and their
    ids alone, or with ``stratified`` on their image labels too; the first ``percent``
    of them, rounded half up, are the strong ones. So the choice is the same on every
    machine and for every order of the annotation file, and for one seed a smaller share
    is a part of a larger one.

    A stratified choice holds every class, as long as it holds no fewer images than
    there are classes, and keeps each near its share; see `order_by_class_share`.

    Raises:
        DataError: percent is not in (0, 100], no image has boxes, or not one would be
            strong.
    """
    if not 0 < percent <= 100:
        raise DataError(
            f"a split of {percent} percent is not possible; give more than 0 and at "
            "most 100 percent"
        )
    candidates = np.flatnonzero(image_set.boxed_by_people)
    if not len(candidates):
        raise DataError(
            f"none of {count(len(image_set.image_ids), 'image')} has boxes, and a "
            "detector cannot be learnt from labels alone; add some images with boxes "
            "(read_coco, read_voc or read_tfrecords, beside the labels in "
            "read_mixture)"
        )
    share = Fraction(str(percent)) / 100 * len(candidates)
    num_strong = math.floor(share + Fraction(1, 2))
    if num_strong == 0:
        raise DataError(
            f"{percent} percent of {count(len(candidates), 'image')} with boxes is no "
            "strong image at all; raise the percentage"
        )
    ids = image_set.image_ids.tolist()
    rows = np.array(sorted(candidates, key=lambda row: _rank(ids[row], seed)))
    if stratified:
        labels = image_set.image_labels[rows] == PRESENT
        rows = rows[order_by_class_share(labels, num_strong)]
    chosen = sorted(ids[row] for row in rows[:num_strong])
    return Split(seed, percent, tuple(chosen), stratified)


def _rank(image_id: int, seed: int) -> bytes:
    # A hash, for NumPy does not promise the same permutation in later versions.
    return hashlib.sha256(f"{seed}:{image_id}".encode()).digest()


@collects_or_raises
def apply_split(image_set: ImageSet, split: Split, *, findings: Findings) -> ImageSet:
    """Drops the boxes of all images that the split does not name; labels stay.

    So do the boxes of a detector, which no split is about.

    Args:
        image_set: the images before the split.
        split: the choice.
        findings: takes it as a problem that the split names images which are not in
            the set or have no boxes, such as those that checks have left out.

    Raises:
        DataError: the split names none of the images with boxes; or, without
            `findings`, an image that is not one of them.
    """
    strong_ids = np.array(split.strong_image_ids, np.int64)
    boxed_ids = image_set.image_ids[image_set.boxed_by_people]
    if not np.isin(strong_ids, boxed_ids).any():
        raise DataError(
            f"the split ({split.percent} percent, {count(len(strong_ids), 'image')}) "
            f"names none of {count(len(boxed_ids), 'image')} with boxes; at least one "
            "must keep them"
        )
    strangers = np.setdiff1d(strong_ids, boxed_ids)
    if len(strangers):
        shown = ", ".join(map(str, strangers[:5]))
        findings.add(
            "split",
            "",
            "strong_image_ids",
            f"names {count(len(strangers), 'image')} that the data set lacks or has "
            f"no boxes for (first ids: {shown}); use the split with its own data",
        )
    keeps_boxes = np.isin(image_set.image_ids, strong_ids)
    if image_set.machine_boxed is not None:
        keeps_boxes |= image_set.machine_boxed
    counts = np.diff(image_set.row_splits)
    kept = np.repeat(keeps_boxes, counts)
    return image_set._replace(
        row_splits=np.concatenate([[0], np.cumsum(counts * keeps_boxes)]),
        boxes=image_set.boxes[kept],
        classes=image_set.classes[kept],
        areas=image_set.areas[kept],
        ignored=image_set.ignored[kept],
        class_states=np.where(
            keeps_boxes[:, None], image_set.class_states, image_set.image_labels
        ),
    )


def hide_weak_labels(image_set: ImageSet) -> ImageSet:
    """Makes every label of the weak images `UNKNOWN`."""
    states = np.where(image_set.has_boxes[:, None], image_set.class_states, UNKNOWN)
    return image_set._replace(class_states=states.astype(np.int8))


def write_split(path: str | os.PathLike, split: Split) -> None:
    """Writes the split as JSON."""
    content = {**split._asdict(), "strong_image_ids": list(split.strong_image_ids)}
    with open_new(path) as file:
        json.dump(content, file)
        file.write("\n")


def read_split(path: str | os.PathLike) -> Split:
    """Reads what `write_split` wrote; `apply_split` checks it against a data set.

    ``stratified`` may be left out.

    Raises:
        DataError: the file cannot be read or does not hold a split.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: the split cannot be read ({error}); write it again"
        ) from error
    # Types and not isinstance(): in Python True is an int.
    kinds = {
        "seed": (int, NoneType),
        "percent": (int, float),
        "strong_image_ids": (list,),
        "stratified": (bool,),
    }
    if isinstance(content, dict):
        content.setdefault("stratified", False)
    for field, field_kinds in kinds.items():
        has_field = isinstance(content, dict) and field in content
        if not has_field or type(content[field]) not in field_kinds:
            raise DataError(f"{path}, {field}: missing or malformed; write it again")
    if not 0 < content["percent"] <= 100:
        raise DataError(
            f"{path}, percent: {content['percent']} is not above 0 and at most 100; "
            "correct it"
        )
    ids = content["strong_image_ids"]
    for position, image_id in enumerate(ids):
        if type(image_id) is not int or not -(2**63) <= image_id < 2**63:
            raise DataError(
                f"{path}, strong_image_ids[{position}]: {image_id!r} is not an image "
                "id; correct it"
            )
    if len(set(ids)) < len(ids):
        raise DataError(f"{path}, strong_image_ids: an id is listed twice; remove one")
    return Split(
        content["seed"], content["percent"], tuple(sorted(ids)), content["stratified"]
    )


def format_split(image_set: ImageSet, split: Split) -> str:
    """Says what was chosen of how many, above the table of `describe_supervision`.

    Args:
        image_set: the images before the split is applied.
        split: the choice.

    Raises:
        DataError: as `apply_split` does.
    """
    mixed = apply_split(image_set, split)
    if split.seed is None:
        origin = f"{split.percent:.4g} percent, as listed"
    else:
        kind = ", stratified" if split.stratified else ""
        origin = f"{split.percent:g} percent, seed {split.seed}{kind}"
    heading = (
        f"split: {len(split.strong_image_ids)} of "
        f"{count(image_set.has_boxes.sum(), 'image')} with boxes keep them ({origin})"
    )
    return f"{heading}\n{describe_supervision(mixed)}"


def describe_supervision(image_set: ImageSet, max_classes: int | None = None) -> str:
    """Returns a table of what is known: strong, weak and unknown images, by class.

    An image with a detector's boxes is as weak to it as one with labels alone; such
    boxes have a column of their own where there are any.

    Classes that no strong image shows are named in a line of warning: their boxes
    cannot be learnt from this set.

    Args:
        image_set: the images.
        max_classes: of more classes, only this many are listed, those with the fewest
            boxes, and the warning names no more.
    """
    present = image_set.image_labels == PRESENT
    strong = image_set.boxed_by_people
    strong_counts = present[strong].sum(axis=0)
    weak_counts = present[~strong].sum(axis=0)
    by_people = np.repeat(strong, np.diff(image_set.row_splits))
    box_counts = _count_objects(image_set, by_people)
    found_counts = _count_objects(image_set, ~by_people)
    rows = np.arange(len(image_set.class_names))
    title = "class"
    if max_classes is not None and len(rows) > max_classes:
        title = f"fewest boxes, of {len(rows)} classes"
        rows = np.argsort(box_counts, kind="stable")[:max_classes]
    names = [image_set.class_names[row] for row in rows]
    width = max(len(title), *map(len, names))
    has_found = image_set.machine_boxed is not None
    lines = [
        _describe_images(image_set),
        f"{title:<{width}}  strong images  weak images  boxes"
        + "  a detector's" * has_found,
    ]
    for name, row in zip(names, rows, strict=True):
        lines.append(
            f"{name:<{width}}  {strong_counts[row]:>13}  {weak_counts[row]:>11}  "
            f"{box_counts[row]:>5}" + f"  {found_counts[row]:>12}" * has_found
        )
    is_unseen = (strong_counts == 0) & (found_counts == 0)
    unseen = [image_set.class_names[row] for row in np.flatnonzero(is_unseen)]
    if unseen:
        shown = ", ".join(unseen[:max_classes])
        more = len(unseen) - len(unseen[:max_classes])
        rest = f" and {more} more" if more else ""
        lines.append(
            f"warning: no strong image shows {shown}{rest}; boxes of such a class "
            "cannot be learnt"
        )
    return "\n".join(lines)


def _count_objects(image_set, is_counted):
    """[K]: boxes of each class that are not ignored."""
    classes = image_set.classes[is_counted & ~image_set.ignored]
    return np.bincount(classes, minlength=len(image_set.class_names))


def _describe_images(image_set):
    strong = image_set.boxed_by_people
    known = (image_set.image_labels != UNKNOWN).any(axis=1)
    num_weak = (~strong & known).sum()
    num_unknown = (~strong & ~known).sum()
    num_partial = (strong & ~image_set.is_strong).sum()
    in_part = f", {num_partial} of them in part or by class" if num_partial else ""
    found = ""
    if image_set.machine_boxed is not None:
        found = f", {image_set.machine_boxed.sum()} of them with a detector's boxes"
    rest = f", {num_unknown} with no annotation at all" if num_unknown else ""
    return (
        f"{count(len(strong), 'image')}: {strong.sum():,} strong (boxes{in_part}), "
        f"{num_weak:,} weak (image labels only{found}){rest}"
    )
