"""Shapes, textures and backgrounds of the quickstart scenes.

Colours are float32 RGB in [0, 1]. A class is known by its outline and its texture. Its
colours centre on a hue of its own but spread so widely that neighbours overlap: a hint,
as colour is for buses and horses, which lets a small network learn within minutes.
"""

import colorsys
import math

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("disc", "square", "triangle", "star", "ring", "cross")

_TEXTURES = {
    "disc": "plain",
    "square": "checks",
    "triangle": "stripes",
    "star": "noise",
    "ring": "dots",
    "cross": "lattice",
}
# Either way of a class's own hue, as a share of the circle; classes are 1 / 6 apart.
_HUE_SPREAD = 1 / 6

# Outlines are drawn this much larger and averaged down, for smooth edges.
SUPERSAMPLING = 4

_MAX_TILT = math.radians(20)


def draw_shape(shape: str, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Draws a shape slightly tilted and stretched around the centre of a square patch.

    Args:
        shape: one of `SHAPES`.
        radius: of the circle around the shape, in pixels.
        rng: source of tilt and stretch.

    Returns:
        [P, P] bool mask in supersampled pixels, P a multiple of `SUPERSAMPLING`.
    """
    patch = 2 * math.ceil(radius + 1) * SUPERSAMPLING
    stretch = rng.uniform(0.85, 1.0)
    scale = radius * SUPERSAMPLING * np.array([1.0, stretch])
    tilt = rng.uniform(-_MAX_TILT, _MAX_TILT)
    rotation = np.array(
        [[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]]
    )
    canvas = Image.new("1", (patch, patch))
    pen = ImageDraw.Draw(canvas)
    for outline, fill in _trace_outlines(shape):
        points = (outline * scale) @ rotation.T + patch / 2
        pen.polygon([tuple(point) for point in points.tolist()], fill=fill)
    return np.array(canvas, bool)


def _trace_outlines(shape: str) -> list[tuple[np.ndarray, int]]:
    """Returns outlines [P, 2] in the unit circle, and whether each fills or cuts."""
    if shape == "disc":
        return [(_trace_polygon(64), 1)]
    if shape == "ring":
        return [(_trace_polygon(64), 1), (0.55 * _trace_polygon(64), 0)]
    if shape == "square":
        return [(_trace_polygon(4, start=math.pi / 4), 1)]
    if shape == "triangle":
        return [(_trace_polygon(3, start=-math.pi / 2), 1)]
    if shape == "star":
        star = _trace_polygon(10, start=-math.pi / 2)
        star[1::2] *= 0.45
        return [(star, 1)]
    if shape == "cross":
        long, short = 0.95, 0.30
        bar = np.array([[-long, -short], [long, -short], [long, short], [-long, short]])
        return [(bar, 1), (bar[:, ::-1], 1)]
    raise ValueError(f"unknown shape {shape!r}")


def _trace_polygon(num_corners: int, start: float = 0.0) -> np.ndarray:
    angles = start + 2 * math.pi * np.arange(num_corners) / num_corners
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def average_down(mask: np.ndarray) -> np.ndarray:
    """Takes a supersampled mask to the share [h, w] of each pixel that it covers."""
    height, width = (length // SUPERSAMPLING for length in mask.shape)
    tiles = mask.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING)
    return tiles.mean(axis=(1, 3), dtype=np.float32)


def draw_colour(shape: str, rng: np.random.Generator) -> np.ndarray:
    """Draws an RGB colour, [3] float32, from around the hue of a shape."""
    own = SHAPES.index(shape) / len(SHAPES)
    hue = (own + rng.uniform(-_HUE_SPREAD, _HUE_SPREAD)) % 1.0
    colour = colorsys.hsv_to_rgb(hue, rng.uniform(0.35, 1.0), rng.uniform(0.4, 0.95))
    return np.array(colour, np.float32)


def draw_texture(
    shape: str, height: int, width: int, base: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws the texture of a shape, at any angle and pitch, in shades around `base`.

    Returns:
        [height, width, 3].
    """
    other = _contrast(base, rng)
    period = rng.uniform(4.0, 9.0)
    angle = rng.uniform(0, math.pi)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u = (x * math.cos(angle) + y * math.sin(angle)) * (2 * math.pi / period)
    v = (y * math.cos(angle) - x * math.sin(angle)) * (2 * math.pi / period)
    kind = _TEXTURES[shape]
    if kind == "plain":
        share = np.zeros((height, width), np.float32)
    elif kind == "stripes":
        share = _soften(np.sin(u))
    elif kind == "dots":
        share = _soften(np.cos(u) + np.cos(v) - 0.6)
    elif kind == "checks":
        share = _soften(np.sin(u) * np.sin(v))
    elif kind == "lattice":
        share = _soften(np.maximum(np.cos(u), np.cos(v)) - 0.8)
    else:
        share = draw_smooth_noise(height, width, 3.0, rng)
    return base + (other - base) * share[..., None]


def _soften(wave: np.ndarray) -> np.ndarray:
    """Takes a wave around 0 to [0, 1] with a steep but smooth edge."""
    return np.clip(wave * 2 + 0.5, 0, 1)


def _contrast(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns a lighter or darker shade of a colour."""
    target = 0.05 if base.mean() > 0.5 else 0.95
    return base + (target - base) * rng.uniform(0.3, 0.7)


def draw_smooth_noise(
    height: int, width: int, grain: float, rng: np.random.Generator
) -> np.ndarray:
    """Returns [height, width] noise in [0, 1] with spots of about `grain` pixels."""
    coarse = rng.integers(
        0, 256, (math.ceil(height / grain) + 1, math.ceil(width / grain) + 1), np.uint8
    )
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.float32) / 255


def draw_background(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draws a cluttered [height, width, 3] background without any object of a class."""
    corners = rng.uniform(0.1, 0.9, 3) + rng.uniform(-0.2, 0.2, (2, 2, 3))
    small = Image.fromarray(to_bytes(corners))
    gradient = small.resize((width, height), Image.Resampling.BICUBIC)
    image = np.asarray(gradient, np.float32) / 255
    cloud = draw_smooth_noise(height, width, rng.uniform(10, 30), rng)
    image = image + (cloud[..., None] - 0.5) * rng.uniform(0.1, 0.35)
    for _ in range(rng.integers(2, 6)):
        image = _paint_clutter(image, rng)
    return image + rng.normal(0, 0.02, image.shape).astype(np.float32)


def _paint_clutter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paints a line or an irregular blob in a colour close to what lies beneath."""
    height, width = image.shape[:2]
    size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    canvas = Image.new("1", size)
    pen = ImageDraw.Draw(canvas)
    if rng.random() < 0.5:
        ends = rng.uniform(0, 1, (2, 2)) * size
        thickness = int(rng.integers(1, 4)) * SUPERSAMPLING
        pen.line([tuple(end) for end in ends.tolist()], fill=1, width=thickness)
    else:
        centre = rng.uniform(0, 1, 2) * size
        points = centre + _trace_blob(rng) * rng.uniform(0.05, 0.22) * max(size)
        pen.polygon([tuple(point) for point in points.tolist()], fill=1)
    cover = average_down(np.array(canvas, bool))[..., None] * rng.uniform(0.4, 0.9)
    colour = rng.uniform(0.05, 0.95, 3).astype(np.float32)
    return image + (colour - image) * cover


def _trace_blob(rng: np.random.Generator) -> np.ndarray:
    """Returns a wavy, elongated outline [64, 2]."""
    angles = 2 * math.pi * np.arange(64) / 64
    radius = np.ones(64)
    for harmonic in (2, 3, 5):
        phase = rng.uniform(0, 2 * math.pi)
        radius += rng.uniform(0.1, 0.4) * np.cos(harmonic * angles + phase)
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    outline = outline * radius[:, None] * [1.0, rng.uniform(0.3, 0.7)]
    turn = rng.uniform(0, math.pi)
    rotation = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    return outline @ np.array(rotation).T


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Takes colours in [0, 1] to uint8, rounding to the nearest."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
