"""How an image comes into an exported detector: resized, then padded with black.

NumPy alone, so that it can be read and written anew in any language. `settings` is the
content of ``detector.json``.
"""

import numpy as np


def put_on_canvas(pixels, settings):
    """Takes [h, w, 3] RGB to the inputs of the graph, as a batch of one.

    Returns:
        {"images": [1, H, W, 3] float32, "image_sizes": [1, 2] int32,
        "scales": [1, 2] float32}.
    """
    size = np.array(pixels.shape[:2])
    ratio = min(
        settings["shorter_side"] / size.min(), settings["longer_side"] / size.max()
    )
    resized_size = np.maximum(np.round(size * ratio).astype(np.int32), 1)
    resized = pixels.astype(np.float32)
    for axis in (0, 1):
        resized = _resize(resized, axis, resized_size[axis])
    # They ascend by area: the first that the image fits on.
    canvas = next(c for c in settings["canvases"] if (resized_size <= c).all())
    image = np.zeros([*canvas, 3], np.float32)
    image[: resized_size[0], : resized_size[1]] = resized
    return {
        "images": image[np.newaxis],
        "image_sizes": resized_size[np.newaxis],
        "scales": (resized_size / size).astype(np.float32)[np.newaxis],
    }


def _resize(pixels, axis, length):
    """Linear interpolation between pixel centres, without smoothing."""
    places = (np.arange(length) + 0.5) * (pixels.shape[axis] / length) - 0.5
    places = np.clip(places, 0, pixels.shape[axis] - 1)
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, pixels.shape[axis] - 1)
    share = (places - low).astype(np.float32).reshape([-1, *[1] * (2 - axis)])
    return pixels.take(low, axis) * (1 - share) + pixels.take(high, axis) * share
