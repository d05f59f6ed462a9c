"""Boxes, class names and scores drawn on an image."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ehsod_tf.structures import ANY_CLASS

# Okabe and Ito's colours, which colour-blind people tell apart, without the black.
_HUES = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
# The same hues again for further classes: pure, lighter, darker.
_SHADES = ((0, 0.0), (255, 0.5), (0, 0.4))

# Of an ignored region that may hold any class.
_ANY_COLOR = (255, 255, 255)
# How much of what is ignored turns grey, and how dark.
_VEIL, _VEIL_GREY = 0.4, 128

_INK = (0, 0, 0)
_PAPER = (255, 255, 255)


def draw_boxes(
    image: np.ndarray,
    boxes: np.ndarray,
    classes: Sequence[int],
    class_names: Sequence[str],
    scores: Sequence[float] | None = None,
    ignored: Sequence[bool] | None = None,
) -> np.ndarray:
    """Draws boxes with their class names, and scores if there are any.

    Lines and letters grow with the image. Better scores are drawn over worse ones.
    Ignored boxes are greyed, dashed and hatched, below all others. A label that would
    lie on the same one is left out.

    Args:
        image: [H, W, 3] uint8, left as it is.
        boxes: [n, 4] ``[ymin, xmin, ymax, xmax]`` in pixels of `image`.
        classes: n class indices, or `ANY_CLASS` of an ignored region.
        class_names: the K class names.
        scores: n scores in [0, 1].
        ignored: [n] True for crowds, difficult objects and other ignored regions.

    Returns:
        A new image, [H, W, 3] uint8.
    """
    ignored = np.zeros(len(boxes), bool) if ignored is None else np.asarray(ignored)
    pixels = np.array(image, np.uint8)
    for box in np.asarray(boxes)[ignored]:
        _veil(pixels, _round_box(box))
    canvas = Image.fromarray(pixels)
    draw = ImageDraw.Draw(canvas)
    width = 1 + round(max(canvas.size) / 400)
    font = ImageFont.load_default(_choose_font_size(canvas.size))
    labels: dict[str, list[tuple]] = {}
    ranks = np.zeros(len(boxes)) if scores is None else np.asarray(scores)
    for i in np.lexsort((ranks, ~ignored)):
        is_any = classes[i] == ANY_CLASS
        text = "" if is_any else class_names[classes[i]]
        if ignored[i]:
            text = f"ignored {text}".rstrip()
        if scores is not None:
            text = f"{text} {scores[i]:.2f}"
        outline = _outline_dashed if ignored[i] else _outline
        color = _ANY_COLOR if is_any else choose_color(int(classes[i]))
        corners = _round_box(boxes[i])
        outline(draw, corners, color, width)
        _draw_label(draw, corners, text, color, font, labels.setdefault(text, []))
    return np.array(canvas)


def choose_color(class_index: int) -> tuple[int, int, int]:
    """The colour of a class, the same in every image; there are 21 of them."""
    hue = _HUES[class_index % len(_HUES)]
    towards, share = _SHADES[class_index // len(_HUES) % len(_SHADES)]
    return tuple(round(c + share * (towards - c)) for c in hue)


def _choose_font_size(size):
    # 9 at 100 x 100, 13 at 320 x 240, 19 at 640 x 480, 28 at 1333 x 800.
    return min(max(9, 7 + math.sqrt(size[0] * size[1]) / 48), 28)


def _round_box(box):
    """Returns the first and last pixel, (xmin, ymin, xmax, ymax), as Pillow has it."""
    # The box [0, 0, 1, 1] is the first pixel, which Pillow counts from 0 to 0.
    ymin, xmin, ymax, xmax = (round(float(side)) for side in box)
    return xmin, ymin, max(xmin, xmax - 1), max(ymin, ymax - 1)


def _outline(draw, corners, color, width):
    if width > 1:
        # A hairline sets the box off from a background of its own colour.
        outer = corners[0] - 1, corners[1] - 1, corners[2] + 1, corners[3] + 1
        draw.rectangle(outer, outline=_contrast(color))
    draw.rectangle(corners, outline=color, width=width)


def _veil(pixels, corners):
    """Greys a part of an image, in place."""
    xmin, ymin, xmax, ymax = (max(side, 0) for side in corners)
    region = pixels[ymin : ymax + 1, xmin : xmax + 1]
    region[:] = (1 - _VEIL) * region + _VEIL * _VEIL_GREY


def _outline_dashed(draw, corners, color, width):
    xmin, ymin, xmax, ymax = corners
    _hatch(draw, corners, color, width)
    # Between the dashes, what stands out where they do not.
    draw.rectangle(corners, outline=_contrast(color), width=width)
    dash = 3 * width
    for x in range(xmin, xmax + 1, 2 * dash):
        end = min(x + dash, xmax + 1) - 1
        draw.rectangle((x, ymin, end, ymin + width - 1), fill=color)
        draw.rectangle((x, ymax - width + 1, end, ymax), fill=color)
    for y in range(ymin, ymax + 1, 2 * dash):
        end = min(y + dash, ymax + 1) - 1
        draw.rectangle((xmin, y, xmin + width - 1, end), fill=color)
        draw.rectangle((xmax - width + 1, y, xmax, end), fill=color)


def _hatch(draw, corners, color, width):
    """Thin lines from the lower left to the upper right, off the outline."""
    margin = 2 * width
    xmin, ymin = corners[0] + margin, corners[1] + margin
    xmax, ymax = corners[2] - margin, corners[3] - margin
    height, length = ymax - ymin, xmax - xmin
    for shift in range(-height, length, 8 * width):
        start, end = max(0, -shift), min(height, length - shift)
        if start < end:
            x, y = xmin + shift, ymax
            line = x + start, y - start, x + end, y - end
            draw.line([side + 1 for side in line], fill=_contrast(color))
            draw.line(line, fill=color)


def _draw_label(draw, corners, text, color, font, earlier):
    """Writes on a patch above the box or, where there is no room, inside it.

    Does not if the patch would touch one of the `earlier` ones, else adds it to them.
    """
    image_width, image_height = draw.im.size
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    margin = max(1, round(font.size / 8))
    width, height = right - left + 2 * margin, bottom - top + 2 * margin
    x = max(0, min(corners[0], image_width - width))
    y = corners[1] - height if corners[1] >= height else corners[1]
    y = max(0, min(y, image_height - height))
    patch = x, y, x + width - 1, y + height - 1
    if any(_overlap(patch, other) for other in earlier):
        return
    earlier.append(patch)
    draw.rectangle(patch, fill=color)
    origin = x + margin - left, y + margin - top
    draw.text(origin, text, fill=_contrast(color), font=font)


def _overlap(a, b):
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _contrast(color):
    """Black or white, whichever stands out from the colour."""
    red, green, blue = color
    is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 128
    return _INK if is_light else _PAPER
