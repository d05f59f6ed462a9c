"""Compares image sets."""

import numpy as np

from ehsod_tf.structures import ImageSet


def assert_same_columns(
    first: ImageSet, second: ImageSet, apart_from: tuple[str, ...] = ()
) -> None:
    """Each column of one has the values and the type that it has in the other."""
    for name, a, b in zip(first._fields, first, second, strict=True):
        if name in apart_from:
            continue
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, name
            np.testing.assert_array_equal(a, b, err_msg=name)
        else:
            assert a is b or list(a) == list(b), name
