"""Checkpoints on disk: whole or absent after a kill, and checked before they are used.

A checkpoint is a folder such as ``step-500``, with TensorFlow's files and a manifest
that has the size and SHA-256 of each. It is written as ``saving-step-500``, forced to
the disk and then renamed, so a folder under its final name was complete once, and
whatever is wrong with it now is damage. What a kill leaves behind has other names, and
the next save removes it.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator

from ehsod_tf.errors import CheckpointError

MANIFEST = "manifest.json"
_SAVING = "saving-"
_DELETING = "deleting-"


@contextlib.contextmanager
def replace_folder(path: str) -> Iterator[str]:
    """Gives a folder to write into, which then takes the place of `path` whole.

    If the writing fails, `path` stays as it was.
    """
    directory, name = os.path.split(path)
    fresh = os.path.join(directory, _SAVING + name)
    shutil.rmtree(fresh, ignore_errors=True)
    os.makedirs(fresh)
    try:
        yield fresh
        _write_manifest(fresh)
    except Exception:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    delete_folder(path)
    os.rename(fresh, path)
    _sync(directory)


def delete_folder(path: str) -> None:
    """Deletes a folder, if it is there, so that a kill never leaves half of it."""
    if not os.path.exists(path):
        return
    directory, name = os.path.split(path)
    doomed = os.path.join(directory, _DELETING + name)
    shutil.rmtree(doomed, ignore_errors=True)
    os.rename(path, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def delete_leftovers(directory: str) -> None:
    """Deletes what saves and deletions that were cut off have left."""
    for name in os.listdir(directory):
        if name.startswith((_SAVING, _DELETING)):
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)


def copy_folder(source: str, target: str) -> None:
    """Copies a checkpoint, checked before, in the way of `replace_folder`.

    Raises:
        CheckpointError: the source is damaged.
    """
    check_folder(source)
    with replace_folder(target) as fresh:
        for name in _read_manifest(source):
            shutil.copyfile(os.path.join(source, name), os.path.join(fresh, name))


def list_checkpoints(directory: str) -> list[tuple[int, str]]:
    """Returns (step, path) of the folders ``step-<number>``, in the order of steps."""
    if not os.path.isdir(directory):
        return []
    matches = [re.fullmatch(r"step-(\d+)", name) for name in os.listdir(directory)]
    paths = [(int(m[1]), os.path.join(directory, m[0])) for m in matches if m]
    return sorted(entry for entry in paths if os.path.isdir(entry[1]))


def check_folder(path: str) -> None:
    """Compares the files of a checkpoint with its manifest.

    Raises:
        CheckpointError: a file is missing, has another size or another content.
    """
    for name, wanted in _read_manifest(path).items():
        file = os.path.join(path, name)
        try:
            size = os.path.getsize(file)
            if size != wanted["size"]:
                raise CheckpointError(
                    f"{file} has {size} bytes, its manifest says {wanted['size']}"
                )
            if _hash_file(file) != wanted["sha256"]:
                raise CheckpointError(
                    f"{file} differs from the checksum in its manifest"
                )
        except OSError as error:
            raise CheckpointError(f"{file}: {error.strerror}") from error


def _write_manifest(folder):
    files = {}
    for name in sorted(os.listdir(folder)):
        file = os.path.join(folder, name)
        _sync(file)
        files[name] = {"size": os.path.getsize(file), "sha256": _hash_file(file)}
    with open(os.path.join(folder, MANIFEST), "w", encoding="utf-8") as file:
        json.dump({"files": files}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    _sync(folder)


def _read_manifest(path):
    """Returns the files of a checkpoint, or raises a `CheckpointError`."""
    manifest = os.path.join(path, MANIFEST)
    try:
        with open(manifest, encoding="utf-8") as file:
            files = json.load(file)["files"]
        return {
            name: {"size": int(entry["size"]), "sha256": str(entry["sha256"])}
            for name, entry in files.items()
        }
    except OSError as error:
        raise CheckpointError(f"{manifest}: {error.strerror}") from error
    # Of every kind: text that is not UTF-8, not JSON, or JSON of another shape.
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{manifest} is damaged ({type(error).__name__}: {error})"
        ) from error


def _hash_file(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path):
    """Forces a file, or the list of names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
