"""Checks of a data set before any training starts, reported all at once."""

import os

import numpy as np

from ehsod_tf.data.checks.image_checks import check_image_files, find_brightest
from ehsod_tf.data.columns import select_images
from ehsod_tf.data.image_files import describe_missing_file
from ehsod_tf.data.problems import (
    Findings,
    Problem,
    collects_or_raises,
    format_problems,
)
from ehsod_tf.data.transforms import WIDE_BITS
from ehsod_tf.errors import DataError
from ehsod_tf.structures import PRESENT, ImageSet
from ehsod_tf.wording import count

# Annotators' tools round outwards, so that a box may end up to a pixel beyond the edge.
EDGE_TOLERANCE = 1.0

_NAMED_IMAGES = 5

# Of the 16-bit PNGs of a set.
_LOOKED_AT = 64


@collects_or_raises
def validate(
    image_set: ImageSet,
    *,
    check_files: bool = True,
    check_pixels: bool = False,
    png_bits: int = WIDE_BITS,
    findings: Findings,
) -> ImageSet:
    """Returns the images that are fit for training and evaluation.

    Args:
        image_set: what a reader gave.
        check_files: also look for every image file and compare its format and size, as
            its header gives them, with the annotation, and look at its last bytes for
            whether it is complete.
        check_pixels: also decode every file, as training will. Takes about as long as
            an epoch's input.
        png_bits: as how many bits 16-bit PNGs will be read; another range is noted.
        findings: takes the problems, and the images concerned are left out.

    Returns:
        The set without the images that something is wrong with.

    Raises:
        DataError: problems were found and `findings` is None; or the set holds no
            image, or none is left, or none is annotated with any class.
    """
    if not image_set.image_names:
        raise DataError(_describe_empty_set(findings))
    num_earlier = len(findings.problems)
    is_sound = _check_ids(image_set, findings) & _check_boxes(image_set, findings)
    if check_files or check_pixels:
        is_sound &= _check_files(image_set, check_pixels, png_bits, findings)
    if not is_sound.any():
        raise DataError(
            f"all of {count(len(is_sound), 'image')} left out; "
            f"{format_problems(findings.problems[num_earlier:])}"
        )
    kept = select_images(image_set, is_sound)
    _require_annotation(kept, findings.problems[num_earlier:])
    _note_repeated_boxes(kept, findings)
    return kept


def _describe_empty_set(findings: Findings) -> str:
    message = "the data set holds no image; check the annotation file or list"
    if findings.problems:
        return f"{message}; {format_problems(findings.problems)}"
    return f"{message} ({findings.notes[-1]})" if findings.notes else message


def _check_ids(image_set: ImageSet, findings: Findings) -> np.ndarray:
    """Returns [I] bool: the image's id is its own."""
    ids, counts = np.unique(image_set.image_ids, return_counts=True)
    repeated = ids[counts > 1]
    for image_id in repeated:
        rows = np.flatnonzero(image_set.image_ids == image_id)
        names = " and ".join(image_set.image_names[row] for row in rows[:3])
        message = f"{names} share this id; give every image its own"
        _add_problem(image_set, rows[0], "id", message, findings)
    return ~np.isin(image_set.image_ids, repeated)


def _check_boxes(image_set: ImageSet, findings: Findings) -> np.ndarray:
    """Returns [I] bool: the image's boxes are finite, not empty and inside it."""
    is_sound = np.ones(len(image_set.image_names), bool)
    image_of_box = np.repeat(np.arange(len(is_sound)), np.diff(image_set.row_splits))
    boxes = image_set.boxes
    sizes = image_set.sizes[image_of_box].astype(np.float64)
    is_target = ~image_set.ignored
    infinite = ~np.isfinite(boxes).all(axis=1)
    # Infinite minus infinite is no number; such a box is reported as infinite.
    finite_boxes = np.where(infinite[:, None], 0.0, boxes)
    extents = finite_boxes[:, 2:] - finite_boxes[:, :2]
    # A crowd or difficult object is no target, so a flat box does no harm there.
    empty = (extents < 0).any(axis=1) | ((extents == 0).any(axis=1) & is_target)
    beyond = (boxes[:, :2] < -EDGE_TOLERANCE).any(axis=1)
    beyond |= (boxes[:, 2:] > sizes + EDGE_TOLERANCE).any(axis=1)
    unseen = (boxes[:, 2:] <= 0).any(axis=1) | (boxes[:, :2] >= sizes).any(axis=1)
    outside = beyond | (unseen & is_target)
    faults = (
        (
            infinite,
            "has a coordinate that is not a finite number; correct or remove it",
        ),
        (empty & ~infinite, "has no height or no width; correct or remove it"),
        (
            outside & ~empty & ~infinite,
            "lies outside the image; correct the box or the image size",
        ),
    )
    for mask, message in faults:
        for row in np.flatnonzero(mask):
            image = image_of_box[row]
            message_of_box = f"{_describe_box(image_set, row, image)} {message}"
            _add_problem(image_set, image, "box", message_of_box, findings)
            is_sound[image] = False
    return is_sound


def _describe_box(image_set: ImageSet, row: int, image: int) -> str:
    ymin, xmin, ymax, xmax = image_set.boxes[row]
    height, width = image_set.sizes[image]
    # The last stands for any class, whose index is -1.
    names = (*image_set.class_names, "ignored")
    return (
        f"the {names[image_set.classes[row]]} box "
        f"y {ymin:g}..{ymax:g}, x {xmin:g}..{xmax:g} "
        f"of an image {width} wide and {height} high"
    )


def _check_files(
    image_set: ImageSet, check_pixels: bool, png_bits: int, findings: Findings
) -> np.ndarray:
    """Returns [I] bool: the image's file is there and means what its record says."""
    paths = image_set.paths
    if not any(map(os.path.exists, paths)):
        what = f"this folder holds none of {count(len(paths), 'image')} (the first is "
        what += f"{os.path.basename(paths[0])!r})"
        fault = describe_missing_file(paths[0], what, "check the image folder")
        raise DataError(f"{os.path.dirname(paths[0])}: {fault}")
    checks = check_image_files(paths, image_set.sizes, check_pixels=check_pixels)
    for row, check in enumerate(checks):
        if check.fault:
            _add_problem(image_set, row, check.field, check.fault, findings)
    turned = [row for row, check in enumerate(checks) if check.orientation != 1]
    if turned:
        names = ", ".join(image_set.image_names[row] for row in turned[:_NAMED_IMAGES])
        findings.note(
            f"{count(len(turned), 'image carries', 'images carry')} an EXIF "
            f"orientation ({names}{', ...' if len(turned) > _NAMED_IMAGES else ''}); "
            "it is not applied, neither in training nor in serving: boxes must refer "
            "to the pixels as stored"
        )
    wide = [path for path, check in zip(paths, checks, strict=True) if check.is_wide]
    _note_range(wide, png_bits, findings)
    return np.array([not check.fault for check in checks])


def _note_range(paths: list[str], png_bits: int, findings: Findings) -> None:
    """Notes 16-bit PNGs that would be read as nearly black, or as too bright."""
    if not paths:
        return
    # Some tell for all; to decode every one would take as long as an epoch.
    looked_at = paths[:: -(-len(paths) // _LOOKED_AT)]
    brightest = find_brightest(looked_at)
    bits = max(8, brightest.bit_length())
    where = (
        f"{count(len(paths), 'PNG')} of 16 bits (first: {paths[0]}); the brightest "
        f"value in the {len(looked_at)} looked at is {brightest}, of {bits} bits"
    )
    # One bit less is only a dark picture.
    if bits < png_bits - 1:
        findings.note(
            f"{where}: read as {png_bits} bits they are nearly black, at most "
            f"{brightest >> (png_bits - 8)} of 255; set Experiment.png_bits = {bits}"
        )
    elif bits > png_bits:
        findings.note(
            f"{where}: read as {png_bits} bits, what is brighter becomes white; set "
            f"Experiment.png_bits = {bits}"
        )


def _require_annotation(image_set: ImageSet, problems: list[Problem]) -> None:
    if len(image_set.boxes) or (image_set.image_labels == PRESENT).any():
        return
    names = ", ".join(image_set.class_names)
    raise DataError(
        f"{os.path.dirname(image_set.paths[0])}, "
        f"{count(len(image_set.image_names), 'image')}: no image is annotated with "
        f"any class of: {names}; check the annotation file "
        "and the class list" + (f"; {format_problems(problems)}" if problems else "")
        # What was left out may have been all that is annotated.
    )


def _note_repeated_boxes(image_set: ImageSet, findings: Findings) -> None:
    """Notes objects that an image has twice: an evaluation misses one of the two."""
    images = np.repeat(np.arange(len(image_set.paths)), np.diff(image_set.row_splits))
    table = np.column_stack([images, image_set.classes, image_set.boxes])
    table = table[~image_set.ignored]
    # Equal rows have equal sums, and so are neighbours in the order of these.
    weights = np.random.default_rng(0).random(table.shape[1])
    table = table[np.argsort(table @ weights, kind="stable")]
    repeated = table[1:][(table[1:] == table[:-1]).all(axis=1)]
    if len(repeated):
        image, label = repeated[np.argmin(repeated[:, 0]), :2].astype(int)
        findings.note(
            f"{count(len(repeated), 'box has', 'boxes have')} the class and the "
            "corners of another box of the same image, and count twice in training "
            f"and evaluation; remove them (first: a {image_set.class_names[label]} of "
            f"{image_set.image_names[image]})"
        )


def _add_problem(
    image_set: ImageSet, row: int, field: str, message: str, findings: Findings
) -> None:
    record = f"image {image_set.image_ids[row]}"
    findings.add(image_set.paths[row], record, field, message)
