"""The folder of an exported detector: its file, its classes, and how to feed it."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator

from ehsod_tf.errors import ConfigError

SETTINGS_FILE = "detector.json"
_LABELS_FILE = "labels.txt"


def require_replaceable(path: str) -> None:
    """Raises a `ConfigError` unless nothing but an exported detector is at `path`."""
    if not os.path.lexists(path):
        return
    is_folder = os.path.isdir(path)
    if is_folder and (
        not os.listdir(path) or os.path.exists(os.path.join(path, SETTINGS_FILE))
    ):
        return
    what = "a folder with something else in it" if is_folder else "a file"
    raise ConfigError(
        f"{path} is {what}, not an exported detector that could be replaced; "
        "name a new folder"
    )


@contextlib.contextmanager
def fill_folder(path: str) -> Iterator[str]:
    """Gives a new folder to fill, which replaces what is at `path` once it is full.

    Raises:
        ConfigError: see `require_replaceable`.
    """
    require_replaceable(path)
    path = os.path.abspath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as folder:
        filled = os.path.join(folder, "filled")
        os.mkdir(filled)
        yield filled
        shutil.rmtree(path, ignore_errors=True)
        shutil.move(filled, path)


def write_settings(folder: str, class_names: tuple[str, ...], **settings) -> None:
    """Writes the class names, one a line, and the settings for the client."""
    with open(os.path.join(folder, _LABELS_FILE), "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in class_names)
    with open(os.path.join(folder, SETTINGS_FILE), "w", encoding="utf-8") as file:
        json.dump(settings, file, indent=2)
        file.write("\n")
