"""The order of a whole run, computed before it starts.

A plan is an [S, B] array: row s holds the images (rows of the `ImageSet`) of step s. A
plan is a pure function of its arguments, so a run can be resumed, or a batch be looked
at again, by its step alone.

Two questions are kept apart. Which image comes next is answered by a stream of
`image_streams`: plain shuffling, or classes in turns. How images make batches is
answered by `batch_dealing`: by canvas, as far as no image has to wait too long.
"""

from collections.abc import Callable

import numpy as np

from ehsod_tf.data.input.batch_dealing import Share, deal
from ehsod_tf.data.input.image_streams import draw_shuffled
from ehsod_tf.errors import ConfigError, DataError

# Takes (images, length, seed), see `draw_shuffled`.
Draw = Callable[[np.ndarray, int, tuple[int, ...]], np.ndarray]


def count_steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Returns how many steps make an epoch: whole batches of images, at least one."""
    return max(1, num_images // batch_size)


def make_batch_plan(
    canvases: np.ndarray,
    batch_size: int,
    epochs: int,
    seed: int,
    *,
    is_strong: np.ndarray | None = None,
    strong_fraction: float | None = None,
    draw: Draw = draw_shuffled,
) -> np.ndarray:
    """Draws one stream of all images, or one of each kind, and deals them to batches.

    With plain shuffling every pass of a stream is a permutation of its own. No image
    waits longer for others of its canvas than half a pass over its stream (one batch,
    if a pass has fewer than four), so none is seen later than an epoch after its turn,
    whatever the batch size and however rare its canvas.

    Args:
        canvases: [I, 2] (height, width) of the canvas of each image.
        batch_size: B.
        epochs: gives S = epochs * `count_steps_per_epoch`.
        seed: seed of the streams.
        is_strong: [I] bool; needed with `strong_fraction` only.
        strong_fraction: if given, the share of strong images in every batch; times B it
            is rounded to an integer. The strong and the weak images are two streams
            then, and the scarcer kind is seen more often. Where all images are of one
            kind, it changes nothing.
        draw: the kind of stream.

    Returns:
        [S, B] int64; with `strong_fraction`, the strong images first in each row. A
        plan for fewer epochs is the beginning of one for more.

    Raises:
        DataError: there is no image.
        ConfigError: a batch would hold strong images only, or none.
    """
    num_images = len(canvases)
    if num_images == 0:
        raise DataError("the training set holds no image; check the image list")
    num_batches = epochs * count_steps_per_epoch(num_images, batch_size)
    kinds = {(seed,): (np.arange(num_images), batch_size)}
    if strong_fraction is not None:
        num_strong = _count_strong(strong_fraction, batch_size)
        strong, weak = np.flatnonzero(is_strong), np.flatnonzero(~is_strong)
        if len(strong) and len(weak):
            # Without the kind in the seed, two lists of one length would be shuffled
            # alike, and the same pairs of images would always meet.
            kinds = {
                (seed, 0): (strong, num_strong),
                (seed, 1): (weak, batch_size - num_strong),
            }
    shares = []
    for stream_seed, (images, quota) in kinds.items():
        # Longer than a pass, and an image of a rare canvas would meet itself.
        patience = max(1, count_steps_per_epoch(len(images), quota) // 2)
        length = (num_batches + patience) * quota
        shares.append(Share(draw(images, length, stream_seed), quota, patience))
    return deal(shares, canvases, num_batches)


def _count_strong(strong_fraction: float, batch_size: int) -> int:
    num_strong = round(strong_fraction * batch_size)
    if not 0 < num_strong < batch_size:
        raise ConfigError(
            f"strong_fraction {strong_fraction} of a batch of {batch_size} gives "
            f"{num_strong} strong images; choose it so that both kinds are there"
        )
    return num_strong


def find_batch_canvases(plan: np.ndarray, canvases: np.ndarray) -> np.ndarray:
    """Returns [S, 2] (height, width), the smallest canvas that holds a whole batch.

    Args:
        plan: [S, B] rows of the image set.
        canvases: [I, 2] of each image.
    """
    return canvases[plan].max(axis=1)


def select_host_rows(batch_size: int, host_index: int, num_hosts: int) -> slice:
    """Returns the rows of every global batch that one of several hosts feeds.

    Raises:
        ConfigError: there is no such host, or the batch cannot be shared evenly.
    """
    if not 0 <= host_index < num_hosts:
        raise ConfigError(
            f"host_index {host_index} is not one of {num_hosts} hosts; they are "
            "counted from 0"
        )
    if batch_size % num_hosts:
        raise ConfigError(
            f"a batch of {batch_size} cannot be shared evenly by {num_hosts} hosts; "
            "choose a multiple"
        )
    share = batch_size // num_hosts
    return slice(host_index * share, (host_index + 1) * share)


def make_evaluation_plan(canvas_of_image: np.ndarray, batch_size: int) -> np.ndarray:
    """Returns a plan with every image once, in batches of one canvas.

    Returns:
        [S, B] int64; -1 fills up the last batch of each canvas.
    """
    rows = []
    for canvas in np.unique(canvas_of_image):
        images = np.flatnonzero(canvas_of_image == canvas)
        missing = -len(images) % batch_size
        padded = np.pad(images, (0, missing), constant_values=-1)
        rows.append(padded.reshape(-1, batch_size))
    return np.concatenate(rows)
