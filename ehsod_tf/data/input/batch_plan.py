"""The order of a whole run, computed before it starts.

A plan is an [S, B] array: row s holds the images (rows of the `ImageSet`) of step s.
All images of a row share a canvas. A plan is a pure function of its arguments, so a
run can be resumed, or a batch be looked at again, by its step alone.

Two questions are kept apart. Which image comes next is answered by a stream of
`image_streams`: plain shuffling, or classes in turns. How images make batches is
answered here: by canvas, and on demand with a fixed share of strong images, which
draws each of its parts from a stream of the same kind.
"""

from collections.abc import Callable

import numpy as np

from ehsod_tf.data.input.image_streams import draw_shuffled
from ehsod_tf.errors import ConfigError, DataError

# Takes (images, length, seed), see `draw_shuffled`.
Draw = Callable[[np.ndarray, int, tuple[int, ...]], np.ndarray]


def count_steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Returns how many steps make an epoch: whole batches of images, at least one."""
    return max(1, num_images // batch_size)


def make_batch_plan(
    canvas_of_image: np.ndarray,
    batch_size: int,
    epochs: int,
    seed: int,
    *,
    draw: Draw = draw_shuffled,
) -> np.ndarray:
    """Draws one stream of all images and groups it by canvas.

    Each canvas has a queue, and a queue that holds a batch emits it. What remains in
    the queues at the end of an epoch (I draws) goes into the next one. With plain
    shuffling every epoch is a permutation of its own, so in n epochs every image is
    seen n times, but for the queues' last rest.

    Args:
        canvas_of_image: [I] integers.
        batch_size: B.
        epochs: gives S = epochs * `count_steps_per_epoch`.
        seed: seed of the stream.
        draw: the kind of stream.

    Returns:
        [S, B] int64. A plan for fewer epochs is the beginning of one for more.

    Raises:
        DataError: there is no image.
    """
    num_images = len(canvas_of_image)
    if num_images == 0:
        raise DataError("the training set holds no image; check the image list")
    num_steps = epochs * count_steps_per_epoch(num_images, batch_size)
    num_epochs = epochs
    while True:
        stream = draw(np.arange(num_images), num_epochs * num_images, (seed,))
        plan = _fill_queues(stream, canvas_of_image[stream], batch_size)
        if len(plan) >= num_steps:
            return plan[:num_steps]
        # The queues hold some images back: go on into further epochs.
        num_epochs += max(1, num_epochs // 4)


def _fill_queues(
    stream: np.ndarray, queue_of_item: np.ndarray, batch_size: int
) -> np.ndarray:
    """Returns the full batches in the order in which the queues emit them."""
    batches, emitted_at = [], []
    for queue in np.unique(queue_of_item):
        positions = np.flatnonzero(queue_of_item == queue)
        num_batches = len(positions) // batch_size
        rows = positions[: num_batches * batch_size].reshape(num_batches, batch_size)
        batches.append(stream[rows])
        emitted_at.append(rows[:, -1])
    order = np.argsort(np.concatenate(emitted_at))
    return np.concatenate(batches)[order].astype(np.int64)


def fix_strong_fraction(
    plan: np.ndarray,
    canvas_of_image: np.ndarray,
    is_strong: np.ndarray,
    strong_fraction: float,
    seed: int,
    *,
    draw: Draw = draw_shuffled,
) -> np.ndarray:
    """Refills a plan so that each batch has a fixed number of strong images.

    The sequence of canvases stays. The strong and the weak images of a canvas are two
    streams of their own; the scarcer kind is so seen more often. A canvas that has
    images of one kind only keeps its batches.

    Args:
        plan: [S, B] of `make_batch_plan`.
        canvas_of_image: [I] integers.
        is_strong: [I] bool.
        strong_fraction: share of strong images; times B it is rounded to an integer.
        seed: seed of the streams.
        draw: the kind of stream.

    Returns:
        [S, B] int64, the strong images first in each row.

    Raises:
        ConfigError: a batch would hold strong images only, or none.
    """
    batch_size = plan.shape[1]
    num_strong = round(strong_fraction * batch_size)
    if not 0 < num_strong < batch_size:
        raise ConfigError(
            f"strong_fraction {strong_fraction} of a batch of {batch_size} gives "
            f"{num_strong} strong images; choose it so that both kinds are there"
        )
    plan = plan.copy()
    canvas_of_step = canvas_of_image[plan[:, 0]]
    for canvas in np.unique(canvas_of_step).tolist():
        steps = np.flatnonzero(canvas_of_step == canvas)
        weak, strong = (
            np.flatnonzero((canvas_of_image == canvas) & (is_strong == kind))
            for kind in (False, True)
        )
        if not len(strong) or not len(weak):
            continue
        for kind, images in enumerate((weak, strong)):
            columns = slice(num_strong) if kind else slice(num_strong, None)
            part = plan[steps, columns]
            # Without the kind in the seed, two lists of one length would be shuffled
            # alike, and the same pairs of images would always meet.
            drawn = draw(images, part.size, (seed, canvas, kind))
            plan[steps, columns] = drawn.reshape(part.shape)
    return plan


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
