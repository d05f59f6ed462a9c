"""The folder of an exported detector, which may take the place of an earlier one."""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ehsod_tf.errors import ConfigError

LABELS_FILE = "labels.txt"


class Kind(NamedTuple):
    """What an exported detector is told by.

    Attributes:
        title: as messages name it.
        mark: a file that each of its folders has.
    """

    title: str
    mark: str


def require_replaceable(path: str, kind: Kind) -> None:
    """Raises a `ConfigError` unless nothing but a detector of a kind is at `path`."""
    if not os.path.lexists(path):
        return
    if os.path.ismount(path):
        raise ConfigError(
            f"{path} is where a disk is mounted, and cannot be replaced; name a folder "
            "in it"
        )
    is_folder = os.path.isdir(path)
    if is_folder and (
        not os.listdir(path) or os.path.exists(os.path.join(path, kind.mark))
    ):
        return
    what = "a folder with something else in it" if is_folder else "a file"
    raise ConfigError(
        f"{path} is {what}, not {kind.title} that could be replaced; name a new folder"
    )


@contextlib.contextmanager
def fill_folder(path: str, kind: Kind) -> Iterator[str]:
    """Gives a new folder to fill, which replaces what is at `path` once it is full.

    Where `path` is a link, what it leads to is replaced, and the link stays.

    Raises:
        ConfigError: see `require_replaceable`.
        OSError: the folder cannot be written, or what is at `path` not moved away.
    """
    require_replaceable(path, kind)
    path = os.path.realpath(path)
    parent, name = os.path.split(path)
    os.makedirs(parent, exist_ok=True)
    # A server may still have files of the old detector open, which some network disks
    # then keep. The new one is in its place nevertheless.
    with tempfile.TemporaryDirectory(
        prefix=f"{name}.old-", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        filled = os.path.join(folder, "filled")
        os.mkdir(filled)
        yield filled
        # Moved, not removed: a moment without any detector, however large it is.
        if os.path.exists(path):
            os.rename(path, os.path.join(folder, "replaced"))
        os.rename(filled, path)


def write_labels(folder: str, class_names: Iterable[str]) -> str:
    """Writes the class names, one a line; returns the path of the file."""
    path = os.path.join(folder, LABELS_FILE)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in class_names)
    return path
