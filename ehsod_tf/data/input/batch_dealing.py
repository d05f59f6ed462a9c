"""Dealing the images of one or several streams out to batches.

Images of one canvas make a batch without padding beside that of the canvas, so they
wait for one another. An image whose canvas is rare would wait for ever: once its
patience is over, it goes out with images of other canvases, on the smallest canvas that
holds them all.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Share(NamedTuple):
    """The images of one kind in every batch.

    Attributes:
        images: the images in the order of their turns, at least ``(num_batches +
            patience) * quota`` of them. The image at place i has its turn at batch
            ``i // quota``.
        quota: how many of them are in a batch.
        patience: batches that an image may be kept back, at least 1.
    """

    images: np.ndarray
    quota: int
    patience: int


def deal(shares: Sequence[Share], canvases: np.ndarray, num_batches: int) -> np.ndarray:
    """Makes batches of the shares, whose images go out in the order of their turns.

    Before each batch every share brings its quota of images. Then goes out what fills a
    batch of one canvas; and, if any image has waited for as long as its patience lasts,
    a mixed batch of all such and of those that let its canvas grow least.

    A mixed batch never has too many images whose patience is over: of each share, the
    images of one turn at most are in that state. Nor too few to fill it: what waits is
    a whole number of batches, for quotas come and go together.

    Args:
        shares: kinds of images.
        canvases: [I, 2] (height, width) of the canvas that each image alone would have.
        num_batches: S.

    Returns:
        [S, B] int64, the first share's images first in each row; B is the sum of the
        quotas. A smaller S gives the beginning of the same.
    """
    sizes, canvas_of_image = np.unique(canvases, axis=0, return_inverse=True)
    canvas_of_image = canvas_of_image.reshape(-1).tolist()
    streams = [share.images.tolist() for share in shares]
    waiting = [_Queues(len(sizes)) for _ in shares]
    batches: list[list[int]] = []
    turn = 0
    while len(batches) < num_batches:
        for share, stream, queues in zip(shares, streams, waiting, strict=True):
            for image in stream[turn * share.quota : (turn + 1) * share.quota]:
                queues[canvas_of_image[image]].append((turn, image))
        for canvas in range(len(sizes)):
            while all(
                len(queues[canvas]) >= share.quota
                for share, queues in zip(shares, waiting, strict=True)
            ):
                batches.append(_take(shares, waiting, [canvas]))
        late = {
            canvas
            for share, queues in zip(shares, waiting, strict=True)
            for canvas in queues.list_older(turn - share.patience)
        }
        if late:
            order = _order_by_growth(sizes, sorted(late))
            batches.append(_take(shares, waiting, order, turn))
        turn += 1
    return np.array(batches[:num_batches], np.int64)


class _Queues(list):
    """For each canvas, the (turn, image) that wait, in the order of their turns."""

    def __init__(self, num_canvases: int):
        super().__init__(deque() for _ in range(num_canvases))

    def list_older(self, turn: int) -> list[int]:
        """Returns the canvases of images that wait since this turn or longer."""
        return [i for i, queue in enumerate(self) if queue and queue[0][0] <= turn]


def _take(
    shares: Sequence[Share],
    waiting: Sequence[_Queues],
    canvases: Sequence[int],
    turn: int | None = None,
) -> list[int]:
    """Takes a batch: what is late at this turn, then canvas by canvas."""
    batch = []
    for share, queues in zip(shares, waiting, strict=True):
        taken = []
        if turn is not None:
            for canvas in queues.list_older(turn - share.patience):
                queue = queues[canvas]
                while queue and queue[0][0] <= turn - share.patience:
                    taken.append(queue.popleft()[1])
        for canvas in canvases:
            queue = queues[canvas]
            while queue and len(taken) < share.quota:
                taken.append(queue.popleft()[1])
        batch += taken
    return batch


def _order_by_growth(sizes: np.ndarray, late: list[int]) -> list[int]:
    """Orders canvases by the area of the one that holds them beside the late ones."""
    areas = np.maximum(sizes, sizes[late].max(axis=0)).prod(axis=1)
    return np.argsort(areas, kind="stable").tolist()
