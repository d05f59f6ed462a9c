"""Random pyramids, boxes and scores, with the corner cases among them."""

import numpy as np


def make_pyramid(rng, *, batch=2, channels=4, levels=(2, 3, 4, 5), extent=256):
    """Values in [0, 1]: an error in a sample's position shows undiminished."""
    return {
        k: rng.uniform(
            size=[batch, max(1, extent >> k), max(1, extent * 3 // 2 >> k), channels]
        ).astype(np.float32)
        for k in levels
    }


def make_boxes(rng, *, batch=2, count=8, extent=256):
    """Sides from 1 to 400 pixels; about a third reach out of the image."""
    centres = rng.uniform(-0.2 * extent, 1.5 * extent, size=[batch, count, 2])
    half_sides = np.exp(rng.uniform(np.log(0.5), np.log(200), size=[batch, count, 2]))
    boxes = np.concatenate([centres - half_sides, centres + half_sides], axis=-1)
    return boxes.astype(np.float32)


def make_odd_boxes():
    """Returns [1, 12, 4]: inverted, empty, far out, huge, and not finite."""
    nan, inf = np.nan, np.inf
    return np.float32(
        [
            [
                [40, 40, 10, 10],
                [10, 40, 40, 10],
                [5, 5, 5, 5],
                [5, 0, 5, 30],
                [900, 900, 950, 990],
                [-80, -80, -40, -50],
                [-1e38, -1e38, 1e38, 1e38],
                [0, 0, 1e38, 1e38],
                [nan, 0, 10, 10],
                [0, 0, inf, 10],
                [0, -inf, 10, inf],
                [1e-40, 1e-40, 2e-40, 2e-40],
            ]
        ]
    )


def make_candidates(rng, *, batch=2, count=80):
    """Returns boxes, scores and classes with equal scores and IoUs that are exact.

    Half the images have corners on a grid, where an IoU often equals the threshold.
    """
    corners = rng.uniform(0, 60, size=[batch, count, 2])
    sides = rng.uniform(4, 40, size=[batch, count, 2])
    boxes = np.concatenate([corners, corners + sides], axis=-1)
    boxes[::2] = 4 * np.round(boxes[::2] / 4)
    scores = np.round(rng.uniform(size=[batch, count]), 1)
    classes = rng.integers(-1, 4, size=[batch, count])
    return boxes.astype(np.float32), scores.astype(np.float32), classes.astype(np.int32)
