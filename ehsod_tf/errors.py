"""Errors that a user can correct; the commands print them as one line."""

from numbers import Integral, Real


class EhsodError(Exception):
    """Base of all errors caused by what the user gave: file, record, field, remedy."""


class DataError(EhsodError):
    """An image, an annotation or a data-set folder is not what it should be."""


class CheckpointError(EhsodError):
    """A checkpoint is damaged, or cannot be written."""


class ConfigError(EhsodError):
    """A configuration is missing, misspelt, or has a value of the wrong kind."""


class FolderInUseError(EhsodError):
    """Another run is at work in the folder; names its process, machine and start."""


class NonFiniteLossError(EhsodError):
    """Training met a NaN or an infinity; names the step, the term and the images."""


class OutOfMemoryError(EhsodError):
    """A device has too little memory for a step; names the step and what to lower."""


class WorkerLostError(EhsodError):
    """Another machine of the run has gone; names the step and what is known."""


def require_choice(what: str, value, choices) -> None:
    """Raises a `ConfigError` that names `what` unless `value` is one of `choices`."""
    if value not in choices:
        known = ", ".join(map(str, choices))
        raise ConfigError(f"{what} is one of {known}, got {value!r}")


def require_count(
    what: str,
    value: int | None,
    *,
    least: int = 1,
    most: int | None = None,
    optional: bool = False,
) -> None:
    """Raises a `ConfigError` that names `what` unless `value` is such a whole number.

    Args:
        what: the setting, for the message.
        value: what it is set to; True and False are no numbers.
        least, most: the range, bounds included; None for no upper one.
        optional: None will do as well.
    """
    if value is None and optional:
        return
    is_number = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_number or value < least or (most is not None and value > most):
        choice = ", or None" if optional else ""
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ConfigError(
            f"{what} must be a whole number, {bounds}{choice}, got {value!r}"
        )


def require_share(what: str, value: float) -> None:
    """Raises a `ConfigError` that names `what` unless `value` lies in [0, 1]."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise ConfigError(f"{what} must be a number from 0 to 1, got {value!r}")
