"""Sampling: exact counts, and a choice that depends on nothing but seed and index."""

import numpy as np
import pytest

from ehsod_tf.modeling.boxes.sampling import hash_priorities, make_seeds, sample_matches

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1


def _make_labels(num_positive, num_negative, num_ignored, seed=0):
    counts = [num_positive, num_negative, num_ignored]
    labels = np.repeat([POSITIVE, NEGATIVE, IGNORED], counts).astype(np.int32)
    return np.random.default_rng(seed).permutation(labels)[None]


def _sample(labels, seed=7, num_samples=16, positive_fraction=0.25):
    priorities = hash_priorities(np.full(len(labels), seed), np.arange(labels.shape[1]))
    masks = sample_matches(
        labels == POSITIVE, labels == NEGATIVE, priorities,
        num_samples=num_samples, positive_fraction=positive_fraction,
    )  # fmt: skip
    return [mask.numpy() for mask in masks]


@pytest.mark.parametrize(
    "available, expected",
    [
        ((10, 50), (4, 12)),  # as many positives as are allowed
        ((3, 50), (3, 13)),  # negatives fill up
        ((0, 50), (0, 16)),
        ((10, 5), (4, 5)),  # positives never fill up
        ((2, 3), (2, 3)),  # fewer candidates than samples
        ((0, 0), (0, 0)),
    ],
)
def test_counts_are_exact(available, expected):
    labels = _make_labels(*available, num_ignored=20)
    positives, negatives = _sample(labels)
    assert (positives.sum(), negatives.sum()) == expected
    assert (labels[positives] == POSITIVE).all()
    assert (labels[negatives] == NEGATIVE).all()


def test_each_image_of_a_batch_is_sampled_alone():
    rows = [_make_labels(10, 50, 20), _make_labels(1, 9, 70), _make_labels(0, 0, 80)]
    positives, negatives = _sample(np.concatenate(rows))
    assert positives.sum(axis=1).tolist() == [4, 1, 0]
    assert negatives.sum(axis=1).tolist() == [12, 9, 0]
    alone = [np.concatenate(_sample(row)) for row in rows]
    np.testing.assert_array_equal(np.stack([positives, negatives], axis=1), alone)


def test_ignored_candidates_at_the_end_change_nothing():
    labels = _make_labels(10, 50, 20)
    padded = np.pad(labels, [[0, 0], [0, 33]], constant_values=IGNORED)
    for mask, padded_mask in zip(_sample(labels), _sample(padded), strict=True):
        np.testing.assert_array_equal(mask, padded_mask[:, :-33])
        assert not padded_mask[:, -33:].any()


def test_the_same_seed_gives_the_same_choice_and_another_seed_another():
    labels = _make_labels(40, 200, 0)
    first, again, other = (_sample(labels, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first[1] != other[1]).any() and (first[0] != other[0]).any()


def test_every_candidate_is_chosen_about_equally_often():
    labels = np.tile(_make_labels(40, 200, 0), [2000, 1])
    seeds = make_seeds(np.arange(2000), step=11)
    priorities = hash_priorities(seeds, np.arange(240))
    positives, negatives = sample_matches(
        labels == POSITIVE, labels == NEGATIVE, priorities,
        num_samples=16, positive_fraction=0.25,
    )  # fmt: skip
    for mask, label in ((positives, POSITIVE), (negatives, NEGATIVE)):
        counts = mask.numpy().sum(axis=0)[labels[0] == label]
        share = counts.mean() / 2000
        # Six standard deviations of a binomial count.
        bound = 6 * np.sqrt(2000 * share * (1 - share))
        assert np.abs(counts - counts.mean()).max() < bound


def test_priorities_are_uniform_over_seeds_and_over_indices():
    seeds = make_seeds(np.arange(300), step=0)
    priorities = hash_priorities(seeds, np.arange(300)).numpy()
    assert priorities.min() >= 0 and priorities.max() < 1
    histogram, _ = np.histogram(priorities, bins=20, range=(0, 1))
    # Six standard deviations of a bin's count.
    assert np.abs(histogram - 4500).max() < 6 * np.sqrt(4500)
    for axis in (0, 1):
        assert np.abs(priorities.mean(axis=axis) - 0.5).max() < 6 / np.sqrt(12 * 300)
    neighbours = np.corrcoef(priorities[:-1].ravel(), priorities[1:].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_priorities_of_an_index_do_not_depend_on_the_other_indices():
    seeds = np.array([3, 4])
    alone = hash_priorities(seeds, np.array([5, 17]))
    among = hash_priorities(seeds, np.arange(30))
    np.testing.assert_array_equal(alone, among.numpy()[:, [5, 17]])


def test_seeds_differ_by_image_and_step_and_leave_room_for_their_uses():
    """The choice of anchors adds 100 to an image's seed, that of regions 0 to 3."""
    ids = np.arange(100)
    seeds = [
        make_seeds(ids, step).numpy() + use
        for step in range(20)
        for use in (0, 1, 2, 3, 100)
    ]
    assert len(np.unique(seeds)) == 10_000
