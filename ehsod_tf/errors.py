"""Errors that a user can correct; the commands print them as one line."""


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


def require_count(what: str, value: int | None, *, optional: bool = False) -> None:
    """Raises a `ConfigError` that names `what` unless `value` is at least 1.

    Args:
        what: the setting, for the message.
        value: a whole number.
        optional: None will do as well.
    """
    if value is None and optional:
        return
    if value is None or value < 1:
        choice = ", or None" if optional else ""
        raise ConfigError(f"{what} must be at least 1{choice}, got {value}")
