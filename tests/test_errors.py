import numpy as np
import pytest

from ehsod_tf.errors import ConfigError, require_count, require_share


@pytest.mark.parametrize("value", [1, 3, np.int64(2)])
def test_counts(value):
    require_count("steps", value, most=3)


@pytest.mark.parametrize(
    "value, settings, message",
    [
        (0, {}, "steps must be a whole number, at least 1, got 0"),
        (-1, {"least": 0}, "at least 0, got -1"),
        (4, {"most": 3}, "from 1 to 3, got 4"),
        (2.0, {}, "whole number, at least 1, got 2.0"),
        (True, {}, "got True"),
        (None, {}, "got None"),
        (0, {"optional": True}, "at least 1, or None, got 0"),
    ],
)
def test_other_than_counts_are_named(value, settings, message):
    with pytest.raises(ConfigError, match=message):
        require_count("steps", value, **settings)


def test_an_optional_count_may_be_none():
    require_count("steps", None, optional=True)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "half", True, None])
def test_other_than_shares_are_named(value):
    with pytest.raises(ConfigError, match="part must be a number from 0 to 1, got "):
        require_share("part", value)


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.25)])
def test_shares(value):
    require_share("part", value)
