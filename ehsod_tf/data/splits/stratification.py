"""An order of images in which every beginning shows each class in its own share."""

import numpy as np

# Below every deficit, and far enough from the end of int64 to be added to.
_EXHAUSTED = np.iinfo(np.int64).min // 2


def order_by_class_share(labels: np.ndarray, num_images: int) -> list[int]:
    """Orders images so that every beginning is near the whole in its classes.

    First comes an image of each class, the rarest class first, unless one was there
    already. Then the class that is furthest below its share gives its next image, again
    and again; images without any class are one more class there. Within a class, images
    come in the order in which they are given.

    The idea is that of iterative stratification (Sechidis, Tsoumakas and Vlahavas, "On
    the Stratification of Multi-Label Data", 2011), for one growing part in place of
    several parts of fixed size.

    Args:
        labels: [I, K] bool, the classes that each image shows.
        num_images: how many images of the order are wanted, at most I.

    Returns:
        `num_images` different rows of `labels`. For a smaller number they are the
        first of those for a larger one.
    """
    labels = np.column_stack([labels, ~labels.any(axis=1)])
    queue = _ClassQueues(labels)
    totals = queue.totals
    for index in np.argsort(totals[:-1], kind="stable"):
        if len(queue.order) < num_images and not labels[queue.order, index].any():
            queue.take(index)
    # In units of one image / I, so that whole numbers hold them exactly.
    deficits = totals * len(queue.order)
    deficits -= len(labels) * labels[queue.order].sum(axis=0)
    while len(queue.order) < num_images:
        deficits += totals
        row = None
        while row is None:
            index = int(deficits.argmax())
            row = queue.take(index)
            if row is None:
                deficits[index] = _EXHAUSTED
        deficits[queue.members[row]] -= len(labels)
    return queue.order


class _ClassQueues:
    """The images of each class, in order, less those that were taken."""

    def __init__(self, labels):
        self.totals = labels.sum(axis=0, dtype=np.int64)
        self.members = [np.flatnonzero(row) for row in labels]
        self.order = []
        self._rows = [iter(np.flatnonzero(column).tolist()) for column in labels.T]
        self._is_taken = bytearray(len(labels))

    def take(self, index):
        """Takes the next image of a class; None if there is none left."""
        for row in self._rows[index]:
            if not self._is_taken[row]:
                self._is_taken[row] = True
                self.order.append(row)
                return row
        return None
