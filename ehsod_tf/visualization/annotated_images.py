"""Images of a data set with what is known of them, for the inspection page."""

from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from ehsod_tf.structures import PARTLY_BOXED, PRESENT, UNKNOWN, ImageSet
from ehsod_tf.visualization.drawing import choose_color, draw_boxes
from ehsod_tf.visualization.pixels import WIDE_BITS, convert_to_rgb
from ehsod_tf.visualization.rendering import Card

# Longer side of a picture, and the shortest shorter one.
_SIDE, _SHORTEST = 320, 8

# Said of a class in an image with people's boxes, where it is not boxed completely.
_REMARKS = {PARTLY_BOXED: "in part", PRESENT: "no box"}

_BLANK = np.full([120, 160, 3], 128, np.uint8)


class Chosen(NamedTuple):
    """Rows of images by what is known of them, in the order of the set.

    Attributes:
        strong: all their objects are boxed.
        partly: boxed in part.
        machine: their boxes are a detector's.
        weak: without boxes.
    """

    strong: list[int]
    partly: list[int]
    machine: list[int]
    weak: list[int]


def choose_images(image_set: ImageSet, count: int, seed: int = 0) -> Chosen:
    """Chooses images that show as many of the classes as they can.

    The kinds of images take turns. Each turn takes the image with the most classes
    that no image shows yet, and of several such images a random one; what is ignored
    counts as a further class of each kind. The same seed gives the same images.

    Args:
        image_set: the data set.
        count: images to choose, at most.
        seed: of the random choice.

    Returns:
        `Chosen`; images of which nothing is known are not among them.
    """
    known = (image_set.image_labels != UNKNOWN).any(axis=1)
    # Of what is boxed something is known, also where the boxes are ignored ones alone.
    *boxed_kinds, weak = _find_kinds(image_set)
    kinds = (*boxed_kinds, weak & known)
    present = np.column_stack(
        [
            image_set.image_labels == PRESENT,
            *(kind & _find_ignored(image_set) for kind in kinds),
        ]
    )
    order = np.random.default_rng(seed).permutation(len(present))
    waiting = [order[kind[order]].tolist() for kind in kinds]
    chosen: list[list[int]] = [[] for _ in kinds]
    missing = present.any(axis=0)
    for turn in range(len(kinds) * count):
        rows, taken = waiting[turn % len(kinds)], chosen[turn % len(kinds)]
        if not rows or sum(map(len, chosen)) == count:
            continue
        row = rows.pop(int(np.argmax((present[rows] & missing).sum(axis=1))))
        missing = missing & ~present[row]
        taken.append(row)
    return Chosen(*map(sorted, chosen))


def name_kind(image_set: ImageSet, row: int) -> str:
    """The field of `Chosen` that an image belongs to."""
    masks = zip(Chosen._fields, _find_kinds(image_set), strict=True)
    return next(name for name, mask in masks if mask[row])


def _find_kinds(image_set):
    """Four masks [I] bool, one for each field of `Chosen`; each image is in one."""
    boxed, by_people = image_set.has_boxes, image_set.boxed_by_people
    strong = by_people & image_set.is_strong
    return strong, by_people & ~strong, boxed & ~by_people, ~boxed


def _find_ignored(image_set):
    """Returns [I] bool: images with an ignored object or region."""
    sums = np.concatenate([[0], np.cumsum(image_set.ignored)])
    return np.diff(sums[image_set.row_splits]) > 0


def draw_card(image_set: ImageSet, row: int, png_bits: int = WIDE_BITS) -> Card:
    """Draws the boxes and ignored regions of an image, and lists its classes.

    An image that cannot be decoded gives a blank card that says so.

    Args:
        image_set: the data set.
        row: of the image.
        png_bits: see `convert_to_rgb`.
    """
    try:
        image, scale = _load_picture(image_set.paths[row], png_bits)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        note = f"cannot be shown: {_explain(error)}; replace the file"
        return Card(image_set.image_names[row], _BLANK, [], note)
    objects = slice(image_set.row_splits[row], image_set.row_splits[row + 1])
    if image_set.has_boxes[row]:
        image = draw_boxes(
            image,
            scale * image_set.boxes[objects],
            image_set.classes[objects],
            image_set.class_names,
            ignored=image_set.ignored[objects],
        )
    chips, note = _describe(image_set, row, objects)
    return Card(image_set.image_names[row], image, chips, note)


def _load_picture(path, png_bits):
    """Returns [H, W, 3] uint8 and the [4] scale of its boxes."""
    with Image.open(path) as file:
        width, height = file.size
        zoom = _SIDE / max(width, height)
        size = max(_SHORTEST, round(zoom * width)), max(_SHORTEST, round(zoom * height))
        # JPEG decodes at a fraction of its size in a fraction of the time.
        file.draft("RGB", size)
        image = convert_to_rgb(file, png_bits).resize(size, reducing_gap=2.0)
    y, x = size[1] / height, size[0] / width
    return np.asarray(image), np.array([y, x, y, x])


def _explain(error):
    if isinstance(error, UnidentifiedImageError):
        return "not an image file"
    return getattr(error, "strerror", None) or str(error)


def _describe(image_set, row, objects):
    labels, states = image_set.image_labels[row], image_set.class_states[row]
    counts = np.bincount(
        image_set.classes[objects][~image_set.ignored[objects]], minlength=len(labels)
    )
    by_people = image_set.boxed_by_people[row]
    chips = []
    for k in np.flatnonzero(labels == PRESENT):
        text = image_set.class_names[k] + (f" × {counts[k]}" if counts[k] > 1 else "")
        if by_people and states[k] in _REMARKS:
            text = f"{text}, {_REMARKS[states[k]]}"
        chips.append((text, choose_color(int(k))))
    notes = [] if chips else ["shows none of the known classes"]
    num_ignored = int(image_set.ignored[objects].sum())
    if num_ignored:
        notes.append(f"{num_ignored} ignored (hatched)")
    unknown = [image_set.class_names[k] for k in np.flatnonzero(labels == UNKNOWN)]
    if len(unknown) > 3:
        notes.append(f"{len(unknown)} classes unknown")
    elif unknown:
        notes.append(f"unknown: {', '.join(unknown)}")
    return chips, "; ".join(notes)
