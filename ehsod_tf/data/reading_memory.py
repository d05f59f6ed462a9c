"""A source that several sets take a part of is read once, while it is asked for.

A folder is read to choose a recipe and again by the run, and a source of which a share
is held out by the training and by the validation set.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

# What readers gave, by function and arguments; None where nothing is to be kept.
_memory: ContextVar[dict | None] = ContextVar("memory", default=None)
_PLAIN = (str, int, float, bool, type(None))


@contextlib.contextmanager
def reading_once() -> Iterator[None]:
    """Within it, a reader that is called again as before gives what it gave before.

    Files that change in the meantime are not seen.
    """
    token = _memory.set({} if _memory.get() is None else _memory.get())
    try:
        yield
    finally:
        _memory.reset(token)


def forget_readings() -> None:
    """Frees what is kept; what is read from now on is kept anew."""
    memory = _memory.get()
    if memory is not None:
        memory.clear()


def is_kept(key: tuple) -> bool:
    """Whether a result is kept by this key.

    Args:
        key: a function and its arguments. Only plain values and tuples of them are
            compared; with any other, such as another reader, nothing is kept.
    """
    return _memory.get() is not None and _is_plain(key[1:])


def recall(key: tuple, call: Callable):
    """The result that is kept by a key, or else that of `call`, which is kept then."""
    memory = _memory.get()
    if key not in memory:
        memory[key] = call()
    return memory[key]


def _is_plain(value) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)
