"""Flags that would do nothing: refused, as lines of a config that do nothing are."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


def refuse_unused(is_given: Mapping[str, object], reason: str) -> None:
    """Raises a `ConfigError` that names the flags that were given for nothing.

    Args:
        is_given: by flag, such as ``--seed``, whether it was given.
        reason: when these flags do nothing, such as "with --from_ids".
    """
    from ehsod_tf.errors import ConfigError

    given = [flag for flag, value in is_given.items() if value]
    if given:
        raise ConfigError(f"{', '.join(given)} would do nothing {reason}")


def compare_flags(
    flags: NamedTuple, defaults: NamedTuple, names: Iterable[str]
) -> dict[str, bool]:
    """By flag, whether its value is another one than the parser's default."""
    return {
        f"--{name}": getattr(flags, name) != getattr(defaults, name) for name in names
    }
