"""Files that are whole, the old or the new one, whenever a program is killed."""

import contextlib
import os
from collections.abc import Iterator
from typing import IO


@contextlib.contextmanager
def open_new(path: str | os.PathLike, mode: str = "w", **options) -> Iterator[IO]:
    """Opens a file to write, which takes the place of `path` once it is complete.

    Until then, and where the writing fails, `path` stays as it was. Where it is a link,
    what it leads to is replaced. What is no file, such as ``/dev/stdout``, is written
    as it is.

    Args:
        path: the file to write; its folder is there.
        mode: "w", of UTF-8, or "wb".
        options: further ones of `open`.

    Raises:
        OSError: the file cannot be written.
    """
    if "b" not in mode:
        options.setdefault("encoding", "utf-8")
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, mode, **options) as file:
            yield file
        return
    path = os.path.realpath(path)
    part = f"{path}.new"
    try:
        with open(part, mode, **options) as file:
            yield file
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(part)
        raise
