"""Images of a data set with what is known of them, for the inspection page."""

import numpy as np
from PIL import Image, UnidentifiedImageError

from ehsod_tf.structures import PRESENT, UNKNOWN, ImageSet
from ehsod_tf.visualization.drawing import choose_color, draw_boxes
from ehsod_tf.visualization.rendering import Card

# Longer side of a picture, and the shortest shorter one.
_SIDE, _SHORTEST = 320, 8

_BLANK = np.full([120, 160, 3], 128, np.uint8)


def choose_images(
    image_set: ImageSet, count: int, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Chooses images that show as many of the classes as they can.

    Strong and weak images take turns. Each turn takes the image with the most classes
    that no image shows yet, and of several such images a random one; the same seed
    gives the same images.

    Args:
        image_set: the data set.
        count: images to choose, at most.
        seed: of the random choice.

    Returns:
        Rows of strong images and rows of weak images, in the order of the set.
    """
    present = image_set.image_labels == PRESENT
    known = (image_set.image_labels != UNKNOWN).any(axis=1)
    order = np.random.default_rng(seed).permutation(len(present))
    strong = image_set.has_boxes[order]
    weak = ~strong & known[order]
    waiting = [order[strong].tolist(), order[weak].tolist()]
    chosen: list[list[int]] = [[], []]
    missing = present.any(axis=0)
    for turn in range(2 * count):
        rows = waiting[turn % 2]
        if not rows or len(chosen[0]) + len(chosen[1]) == count:
            continue
        row = rows.pop(int(np.argmax((present[rows] & missing).sum(axis=1))))
        missing = missing & ~present[row]
        chosen[turn % 2].append(row)
    return sorted(chosen[0]), sorted(chosen[1])


def draw_card(image_set: ImageSet, row: int) -> Card:
    """Draws the boxes of a strong image; lists the classes of any image.

    An image that cannot be decoded gives a blank card that says so.
    """
    try:
        image, scale = _load_picture(image_set.paths[row])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        note = f"cannot be shown: {_explain(error)}; replace the file"
        return Card(image_set.image_names[row], _BLANK, [], note)
    objects = slice(image_set.row_splits[row], image_set.row_splits[row + 1])
    if image_set.has_boxes[row]:
        image = draw_boxes(
            image,
            scale * image_set.boxes[objects],
            image_set.classes[objects],
            # The last stands for any class, whose index is -1.
            (*image_set.class_names, "any class"),
            ignored=image_set.ignored[objects],
        )
    chips, note = _describe(image_set, row, objects)
    return Card(image_set.image_names[row], image, chips, note)


def _load_picture(path):
    """Returns [H, W, 3] uint8 and the [4] scale of its boxes."""
    with Image.open(path) as file:
        width, height = file.size
        zoom = _SIDE / max(width, height)
        size = max(_SHORTEST, round(zoom * width)), max(_SHORTEST, round(zoom * height))
        # JPEG decodes at a fraction of its size in a fraction of the time.
        file.draft("RGB", size)
        image = file.convert("RGB").resize(size, reducing_gap=2.0)
    y, x = size[1] / height, size[0] / width
    return np.asarray(image), np.array([y, x, y, x])


def _explain(error):
    if isinstance(error, UnidentifiedImageError):
        return "not an image file"
    return getattr(error, "strerror", None) or str(error)


def _describe(image_set, row, objects):
    labels = image_set.image_labels[row]
    counts = np.bincount(
        image_set.classes[objects][~image_set.ignored[objects]], minlength=len(labels)
    )
    chips = []
    for k in np.flatnonzero(labels == PRESENT):
        times = f" × {counts[k]}" if counts[k] > 1 else ""
        chips.append((image_set.class_names[k] + times, choose_color(int(k))))
    notes = [] if chips else ["shows none of the known classes"]
    num_ignored = int(image_set.ignored[objects].sum())
    if num_ignored:
        notes.append(f"{num_ignored} ignored (dashed)")
    unknown = [image_set.class_names[k] for k in np.flatnonzero(labels == UNKNOWN)]
    if len(unknown) > 3:
        notes.append(f"{len(unknown)} classes unknown")
    elif unknown:
        notes.append(f"unknown: {', '.join(unknown)}")
    return chips, "; ".join(notes)
