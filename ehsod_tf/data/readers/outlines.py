"""Boxes around what annotators draw: rotated boxes, outlines, ellipses."""

import math
from collections.abc import Sequence

from ehsod_tf.data.readers.annotated_images import Box

Point = tuple[float, float]


def enclose(points: Sequence[Point]) -> Box:
    """Returns (ymin, xmin, ymax, xmax) around points (x, y)."""
    xs, ys = zip(*points, strict=True)
    return min(ys), min(xs), max(ys), max(xs)


def enclose_rotated(box: Box, degrees: float, pivot: Point) -> Box:
    """Returns the box around a box that is turned clockwise about a point (x, y)."""
    ymin, xmin, ymax, xmax = box
    corners = ((xmin, ymin), (xmax, ymin), (xmax, ymax), (xmin, ymax))
    # A quarter of a turn is exact, unlike its sine and cosine.
    quarters, rest = divmod(degrees, 90)
    sine, cosine = math.sin(math.radians(rest)), math.cos(math.radians(rest))
    for _ in range(int(quarters) % 4):
        sine, cosine = cosine, -sine
    x0, y0 = pivot
    return enclose(
        [
            (
                x0 + (x - x0) * cosine - (y - y0) * sine,
                y0 + (x - x0) * sine + (y - y0) * cosine,
            )
            for x, y in corners
        ]
    )


def enclose_ellipse(centre: Point, radii: Point, degrees: float) -> Box:
    """Returns the box around an ellipse (x, y), turned clockwise about its centre."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    width = math.hypot(radii[0] * cosine, radii[1] * sine)
    height = math.hypot(radii[0] * sine, radii[1] * cosine)
    x, y = centre
    return y - height, x - width, y + height, x + width
