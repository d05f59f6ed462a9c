"""Random numbers of the positions of a run, drawn for all of them at once.

They are those of ``tf.random.stateless_uniform`` with the seed pair (seed, position),
to the bit. They are made here in NumPy, before the run, because TensorFlow can only
make them one by one inside tf.data, where a draw for each image costs time.
"""

import numpy as np

# Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10
# With this key TensorFlow makes key and counter out of a seed pair.
_SEED_KEY = np.uint64(0x3EC8F720), np.uint64(0x02461E29)

_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)


def draw_uniforms(seed: int, positions: np.ndarray) -> np.ndarray:
    """Returns [..., 4] float32 in [0, 1) for positions [...].

    Args:
        seed: seed of the run.
        positions: integers >= 0; the draws of each depend on it and the seed alone.
    """
    positions = np.asarray(positions).astype(np.uint64)
    seeds = np.full_like(positions, np.int64(seed).view(np.uint64))
    pair = (seeds & _LOW, seeds >> _WORD, positions & _LOW, positions >> _WORD)
    mixed = _philox(pair, _SEED_KEY)
    zeros = np.zeros_like(positions)
    words = _philox((zeros, zeros, mixed[2], mixed[3]), mixed[:2])
    # The low 23 bits are the fraction of a float in [1, 2).
    fractions = np.stack(words, axis=-1) & np.uint64((1 << 23) - 1)
    return fractions.astype(np.float32) / np.float32(1 << 23)


def _philox(counter, key):
    """Takes four words of counter and two of key, 32 bits in uint64, to four words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (p1 >> _WORD) ^ c1 ^ k0,
            p1 & _LOW,
            (p0 >> _WORD) ^ c3 ^ k1,
            p0 & _LOW,
        )
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return c0, c1, c2, c3
