import numpy as np
import pytest

from ehsod_tf.data.splits import stratification
from ehsod_tf.data.splits.stratification import order_by_class_share


@pytest.fixture(scope="module")
def labels():
    """2,000 images of 30 classes, the most frequent in 700, the rarest in 4."""
    rng = np.random.default_rng(0)
    labels = np.zeros((2000, 30), bool)
    for index, count in enumerate(np.geomspace(700, 4, 30).astype(int)):
        # Classes come together: each is drawn from a part of the images.
        pool = rng.permutation(2000)[: max(count, 1500 - 40 * index)]
        labels[rng.choice(pool, count, replace=False), index] = True
    return labels


def _order_obviously(labels, num_images):
    """The rule word by word, with fractions summed again at each step."""
    order = []
    totals = labels.sum(axis=0)

    def take_next(members):
        order.append(next(row for row in members if row not in order))

    for index in sorted(range(labels.shape[1]), key=lambda index: totals[index]):
        if len(order) < num_images and not any(labels[row, index] for row in order):
            take_next(np.flatnonzero(labels[:, index]))
    kinds = np.column_stack([labels, ~labels.any(axis=1)])
    while len(order) < num_images:
        shares = kinds.sum(axis=0) * (len(order) + 1) / len(labels)
        deficits = shares - kinds[order].sum(axis=0)
        open_kinds = [
            index
            for index in range(kinds.shape[1])
            if set(np.flatnonzero(kinds[:, index])) - set(order)
        ]
        index = max(open_kinds, key=lambda index: round(deficits[index], 9))
        take_next(np.flatnonzero(kinds[:, index]))
    return order


@pytest.mark.parametrize("seed", range(8))
def test_the_rule(seed):
    rng = np.random.default_rng(seed)
    labels = rng.random((30, 5)) < rng.uniform(0.05, 0.6, 5)
    labels[0] = True  # every class has an image
    for num_images in (1, 3, 12, 30):
        expected = _order_obviously(labels, num_images)
        assert order_by_class_share(labels, num_images) == expected


def test_every_image_comes_once(labels):
    assert sorted(order_by_class_share(labels, 2000)) == list(range(2000))


def test_a_shorter_order_begins_a_longer_one(labels):
    order = order_by_class_share(labels, 2000)
    for num_images in (1, 7, 30, 31, 500, 1999):
        assert order_by_class_share(labels, num_images) == order[:num_images]


def test_as_many_images_as_classes_show_all_of_them(labels):
    order = order_by_class_share(labels, labels.shape[1])
    assert labels[order].any(axis=0).all()


def test_every_beginning_keeps_the_shares(labels):
    """Once all classes have come, none is two images short of its share.

    A surplus cannot be helped where classes come together; it stays below chance's.
    """
    num_classes = labels.shape[1]
    counts = np.cumsum(labels[order_by_class_share(labels, 2000)], axis=0)
    shares = labels.mean(axis=0) * np.arange(1, 2001)[:, None]
    assert (shares - counts)[num_classes:].max() < 2

    by_chance = np.cumsum(labels[np.random.default_rng(1).permutation(2000)], axis=0)
    assert (shares - by_chance)[num_classes:].max() > 10
    assert (counts - shares).max() < (by_chance - shares).max()


def test_images_without_a_class_keep_their_share():
    labels = np.zeros((100, 2), bool)
    labels[:20, 0] = True
    order = np.array(order_by_class_share(labels, 50))
    assert (order < 20).sum() == 10


def test_a_class_that_no_image_shows():
    labels = np.zeros((6, 2), bool)
    labels[3, 1] = True
    assert order_by_class_share(labels, 2) == [3, 0]


def test_work_grows_as_the_labels_do(labels, monkeypatch):
    """Each is looked at once: COCO has 118,000 images, and so it takes seconds."""
    looks, asked = [], []

    class Rows:
        def __init__(self, rows):
            self._rows = rows

        def __iter__(self):
            # Goes on in an iterator, and begins a list anew.
            for row in self._rows:
                looks.append(row)
                yield row

    class Counting(stratification._ClassQueues):
        def __init__(self, labels):
            super().__init__(labels)
            self._rows = [Rows(rows) for rows in self._rows]

        def take(self, index):
            asked.append(index)
            return super().take(index)

    monkeypatch.setattr(stratification, "_ClassQueues", Counting)
    order = order_by_class_share(labels, 2000)
    num_without = (~labels.any(axis=1)).sum()
    assert len(order) <= len(looks) <= labels.sum() + num_without
    # Of those that have run out, and of "without any class", once more each.
    assert len(order) <= len(asked) <= len(order) + labels.shape[1] + 1
