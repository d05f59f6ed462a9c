"""Archives into a folder, with no member outside it."""

import os
import pathlib
import tarfile
import zipfile
import zlib

from tqdm import tqdm

from ehsod_tf.errors import DataError


def unpack(archive: str, folder: str) -> None:
    """Unpacks a ``.zip`` archive, or else an uncompressed tar archive.

    Raises:
        DataError: the archive is broken, or a member's path leads out of the folder.
    """
    try:
        if archive.endswith(".zip"):
            _unpack_zip(archive, folder)
        else:
            _unpack_tar(archive, folder)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise DataError(
            f"{archive}: cannot be unpacked ({error}); remove it and download it again"
        ) from error


def _unpack_zip(archive, folder):
    with zipfile.ZipFile(archive) as opened:
        for member in _show_progress(opened.infolist(), archive):
            # zipfile would change such a path without a word.
            path = pathlib.PurePosixPath(member.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise zipfile.BadZipFile(f"{member.filename!r} leads out of the folder")
            opened.extract(member, folder)


def _unpack_tar(archive, folder):
    with tarfile.open(archive, "r:") as opened:
        for member in _show_progress(opened, archive):
            # The filter refuses links and paths that lead out, and device files.
            opened.extract(member, folder, filter="data")


def _show_progress(members, archive):
    return tqdm(
        members,
        desc=f"unpacking {os.path.basename(archive)}",
        unit=" files",
        disable=None,  # only on a terminal
    )
