"""Random numbers of the positions of a run, drawn for all of them before it starts.

NumPy's Philox counts: its block p, of four numbers, belongs to position p. So the
numbers of a position depend on it and the seed alone, wherever a run is resumed and
however long it is. TensorFlow can only make such numbers one by one inside tf.data,
where a draw for each image costs time.
"""

import numpy as np

# Of a float32 in [0, 1).
_BITS = 24


def draw_uniforms(seed: int, first: int, count: int) -> np.ndarray:
    """Returns [count, 4] float32 in [0, 1) for positions `first` and following.

    Args:
        seed: seed of the run, of at most 64 bits.
        first: position of the first row, from 0.
        count: how many positions.
    """
    generator = np.random.Philox(key=seed % 2**64)
    generator.advance(first)
    # Raw words and not `Generator.random`: NumPy promises that these stay the same.
    words = generator.random_raw((count, 4))
    return (words >> np.uint64(64 - _BITS)).astype(np.float32) / np.float32(2**_BITS)
