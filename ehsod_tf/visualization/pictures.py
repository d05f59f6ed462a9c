"""Images of a data set with boxes that a page can show, hide and explain.

The boxes are not drawn into the pixels: they are shapes over the picture, so that a
slider can choose those above a score, and the mouse can ask what they are.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ehsod_tf.structures import ANY_CLASS, ImageSet
from ehsod_tf.visualization.drawing import choose_color
from ehsod_tf.visualization.pixels import WIDE_BITS, convert_to_rgb
from ehsod_tf.visualization.rendering import embed_image

# Longer side of a picture in the units of its boxes' lines and letters, and the most
# pixels that it keeps.
_UNITS, _MOST_PIXELS = 400, 480
_QUALITY = 80


class Box(NamedTuple):
    """A box over a picture.

    Attributes:
        x, y, width, height: in units of the picture.
        label: written at its top left.
        hint: said under the mouse.
        color: CSS.
        is_right: False makes it dashed: a detection that is no hit.
        score: of a detection; None of an object.
        found_at: of an object the score of the detection that found it, or 0.
    """

    x: float
    y: float
    width: float
    height: float
    label: str
    hint: str
    color: str
    is_right: bool = True
    score: float | None = None
    found_at: float = 0.0


class Picture(NamedTuple):
    """An image of a page.

    Attributes:
        key: names it in the page, unlike all others.
        name: for people.
        uri: its pixels.
        width, height: in units.
        objects: `Box`es of the ground truth.
        detections: `Box`es by `Gallery.captions`: one list for each detector.
        note: a line of text, or "".
    """

    key: str
    name: str
    uri: str
    width: float
    height: float
    objects: list[Box]
    detections: list[list[Box]]
    note: str = ""


class Verdicts(NamedTuple):
    """What is known of the detections of an `ehsod_tf.evaluation.Results`.

    Attributes:
        kinds: n words for what each detection is, such as "right".
        found_by: [T] for each object the row of the detection that found it, or -1.
    """

    kinds: Sequence[str]
    found_by: np.ndarray


class Gallery(NamedTuple):
    """Pictures with a heading; `captions` name the detectors."""

    heading: str
    captions: list[str]
    pictures: list[Picture]


def make_picture(
    image_set: ImageSet,
    row: int,
    detectors: Sequence[tuple],
    *,
    key: str,
    note: str = "",
    least_score: float = 0.05,
    png_bits: int = WIDE_BITS,
) -> Picture:
    """Prepares an image with its objects and what detectors found on it.

    Args:
        image_set: the evaluation images.
        row: of the image.
        detectors: (`ehsod_tf.evaluation.Results`, `Verdicts`) of each.
        key, note: see `Picture`.
        least_score: detections below it are not in the page.
        png_bits: see `convert_to_rgb`.
    """
    with Image.open(image_set.paths[row]) as file:
        image = convert_to_rgb(file, png_bits)
    height, width = image_set.sizes[row].tolist()
    zoom = _UNITS / max(height, width, 1)
    image.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
    first, last = image_set.row_splits[row : row + 2]
    found = []
    for results, verdicts in detectors:
        own = np.flatnonzero(results.image_ids == image_set.image_ids[row])
        own = own[results.scores[own] >= least_score]
        # The best lie on top.
        own = own[np.argsort(results.scores[own], kind="stable")]
        found.append(
            [_make_detection(image_set, results, verdicts, i, zoom) for i in own]
        )
    objects = [
        _make_object(image_set, i, detectors[0] if len(detectors) == 1 else None, zoom)
        for i in range(first, last)
    ]
    return Picture(
        key,
        image_set.image_names[row],
        embed_image(np.asarray(image), _QUALITY),
        zoom * width,
        zoom * height,
        objects,
        found,
        note,
    )


def _make_detection(image_set, results, verdicts, row, zoom):
    name = image_set.class_names[results.classes[row]]
    score, kind = float(results.scores[row]), verdicts.kinds[row]
    return Box(
        *_to_units(results.boxes[row], zoom),
        f"{name} {score:.2f}",
        f"{name}, score {score:.4f}: {kind}",
        _to_css(results.classes[row]),
        kind == "right",
        score,
    )


def _make_object(image_set, row, detector, zoom):
    k = int(image_set.classes[row])
    name = "any class" if k == ANY_CLASS else image_set.class_names[k]
    found_at, is_ignored = 0.0, bool(image_set.ignored[row])
    if detector:
        results, verdicts = detector
        finder = verdicts.found_by[row]
        found_at = float(results.scores[finder]) if finder >= 0 else 0.0
    hint = f"{name} (ignored: crowd or difficult)" if is_ignored else name
    if found_at:
        hint += f", found with score {found_at:.4f}"
    return Box(
        *_to_units(image_set.boxes[row], zoom),
        name,
        hint,
        _to_css(k),
        not is_ignored,
        found_at=found_at,
    )


def _to_units(box, zoom):
    ymin, xmin, ymax, xmax = (zoom * float(side) for side in box)
    return xmin, ymin, xmax - xmin, ymax - ymin


def _to_css(class_index):
    return "#{:02x}{:02x}{:02x}".format(*choose_color(int(class_index)))
