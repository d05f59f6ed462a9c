"""Endless orders of images, of which a plan takes as many as it needs.

A stream is a pure function of its arguments, and a shorter one is the beginning of a
longer one. `batch_plan` deals streams out to batches and does not care which kind it
gets: `draw_shuffled`, or `draw_by_class` with its last argument bound.
"""

import numpy as np


def draw_shuffled(images: np.ndarray, length: int, seed: tuple[int, ...]) -> np.ndarray:
    """Takes every image once in a random order, then again in another, and so on.

    Args:
        images: rows of an `ImageSet`, at least one.
        length: number of draws.
        seed: integers >= 0.

    Returns:
        [length] int64.
    """
    num_rounds = -(-length // len(images))
    rounds = [
        np.random.default_rng([*seed, turn]).permutation(images)
        for turn in range(num_rounds)
    ]
    return np.concatenate([np.zeros(0, np.int64), *rounds])[:length]


def draw_by_class(
    images: np.ndarray, length: int, seed: tuple[int, ...], shows: np.ndarray
) -> np.ndarray:
    """Lets the classes take turns, so that rare ones come as often as frequent ones.

    In each round every class that any of the images shows has one turn, in a random
    order, and takes the next image of its own shuffled list (shuffled again whenever it
    has run out). The images that show no class have one turn together.

    Args:
        images, length, seed: see `draw_shuffled`.
        shows: [I, K] bool, the classes that each row of the `ImageSet` is known to
            show, by a box or by a label.

    Returns:
        [length] int64.
    """
    num_classes = shows.shape[1]
    shown = shows[images]
    lists = [images[shown[:, index]] for index in range(num_classes)]
    lists.append(images[~shown.any(axis=1)])
    owners = np.flatnonzero([len(list_) for list_ in lists])
    num_rounds = -(-length // len(owners))
    # The classes' own streams have seeds up to (*seed, num_classes, turn).
    rng = np.random.default_rng([*seed, num_classes + 1])
    ranks = rng.random([num_rounds, len(owners)])
    turns = owners[np.argsort(ranks, axis=1, kind="stable")].reshape(-1)[:length]
    draws = np.empty(length, np.int64)
    for owner in owners:
        positions = np.flatnonzero(turns == owner)
        draws[positions] = draw_shuffled(
            lists[owner], len(positions), (*seed, int(owner))
        )
    return draws
