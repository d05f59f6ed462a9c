"""Whether a checkpoint belongs to the run that wants to go on from it."""

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from ehsod_tf.errors import ConfigError


class _Nothing:
    """Stands for a setting that only one of two runs has."""

    def __repr__(self):
        return "nothing"


_NOTHING = _Nothing()


def require_same_settings(
    path: str, stored: Mapping[str, Any], present: Mapping[str, Any]
) -> None:
    """Raises a `ConfigError` that names each setting that differs, was and is.

    Args:
        path: the checkpoint, for the message.
        stored, present: settings by name, as JSON holds them; may be nested.
    """
    changes = list(_compare("", stored, present))
    if changes:
        raise ConfigError(
            f"{path} was saved by a run with other settings: {', '.join(changes)}; set "
            "them back to go on with that run, or take another model_dir for a new one"
        )


def require_same_variables(
    path: str, group: str, stored: Sequence, variables: Sequence
) -> None:
    """Raises a `ConfigError` that names the first variable that differs.

    Args:
        path: the checkpoint, for the message.
        group: "model" or "optimizer".
        stored: what `describe_variables` gave for the checkpoint.
        variables: those of the present model or optimizer.
    """
    for saved, present in zip_longest(stored, describe_variables(variables)):
        if saved is None or present is None or not _fits(saved, present):
            raise ConfigError(
                f"{path} was saved from another {group}: it has "
                f"{_describe(saved)} where this {group} has {_describe(present)}; "
                "use the configuration of its run, or another model_dir"
            )


def describe_variables(variables: Sequence) -> list[list]:
    """Returns the path and shape of each variable, for JSON."""
    return [[variable.path, list(variable.shape)] for variable in variables]


def _compare(name, stored, present):
    """Yields a line for each setting that differs, and for a list its first place."""
    if isinstance(stored, Mapping) and isinstance(present, Mapping):
        for key in sorted(stored.keys() | present.keys()):
            path = f"{name}.{key}" if name else key
            yield from _compare(
                path, stored.get(key, _NOTHING), present.get(key, _NOTHING)
            )
    elif isinstance(stored, list) and isinstance(present, list):
        pairs = zip_longest(stored, present, fillvalue=_NOTHING)
        for i, (was, now) in enumerate(pairs):
            if was != now:
                yield from _compare(f"{name}[{i}]", was, now)
                return
    elif stored != present:
        yield f"{name} was {stored!r} and is {present!r}"


def _fits(saved, present):
    # Names that Keras makes up carry numbers that count through a process's life.
    (saved_path, saved_shape), (present_path, present_shape) = saved, present
    return saved_shape == present_shape and _strip_numbers(
        saved_path
    ) == _strip_numbers(present_path)


def _strip_numbers(path):
    return re.sub(r"_\d+", "", path.rpartition("/")[2])


def _describe(entry):
    if entry is None:
        return "no further variable"
    path, shape = entry
    return f"{path} {shape}"
