"""A whole data set: what is missing, whether it fits, and how it comes into place.

Archives and half-unpacked files live in ``<data_dir>/<name>_download``. A folder of the
data set is unpacked there and moved into place in one step, so that whatever stops the
command, a folder that is there is complete.
"""

import contextlib
import os
import shutil

from ehsod_tf.downloads.sources import SOURCES, Folder
from ehsod_tf.downloads.transfer import fetch
from ehsod_tf.downloads.unpacking import unpack
from ehsod_tf.errors import DataError, require_choice

_GIB = 1 << 30


def download(
    name: str,
    data_dir: str,
    *,
    keep_archives: bool = False,
    sources: dict[str, tuple[Folder, ...]] = SOURCES,
) -> None:
    """Downloads and unpacks what `data_dir` lacks of a data set.

    After an interruption the same call goes on where it stopped. What is there and
    complete is left alone.

    Args:
        name: one of `sources`.
        data_dir: the folder that a config calls DATA_DIR; made if it is missing.
        keep_archives: leave the archives in ``<data_dir>/<name>_download``.
        sources: the data sets that there are.

    Raises:
        ConfigError: no data set of this name is known.
        DataError: the disk is too small or cannot be written, no connection, wrong
            checksum, a broken archive, a folder that is there but incomplete, or an
            interruption by the user.
    """
    require_choice("the data set to download", name, sources)
    work_dir = os.path.join(data_dir, f"{name}_download")
    with _explain_interruptions(name, data_dir):
        missing = [folder for folder in sources[name] if _is_missing(folder, data_dir)]
        if not missing:
            print(f"{data_dir}: {name} is there and complete; nothing to do")
            return
        _remove_leftovers(work_dir)
        _check_space(name, missing, data_dir, work_dir, keep_archives)
        os.makedirs(work_dir, exist_ok=True)
        for folder in missing:
            _fetch_folder(folder, data_dir, work_dir, keep_archives)
        if keep_archives:
            print(f"{work_dir}: the archives")
        elif not os.listdir(work_dir):
            os.rmdir(work_dir)
    print(f"{data_dir}: {name} is complete")


@contextlib.contextmanager
def _explain_interruptions(name, data_dir):
    try:
        yield
    except KeyboardInterrupt:
        raise DataError(
            f"{name}: stopped; run the same command again to go on where it stopped"
        ) from None
    except OSError as error:
        raise DataError(
            f"{error.filename or data_dir}: cannot be written "
            f"({error.strerror or error}); make room or choose another folder, and run "
            "the command again"
        ) from error


def _is_missing(folder, data_dir):
    """False for a complete folder; an incomplete one is an error."""
    path = os.path.join(data_dir, folder.path)
    if not os.path.isdir(path) or not os.listdir(path):
        return True
    lack = _describe_lack(folder, path)
    if lack:
        raise DataError(
            f"{path}: is there but incomplete ({lack}); move it away or remove it, "
            "then run the command again"
        )
    return False


def _describe_lack(folder, path):
    for part, num_files in folder.contents.items():
        place = os.path.normpath(os.path.join(path, part))
        found = _count_files(place)
        if found < num_files:
            return f"{found} of {num_files} files in {place}"
    return None


def _count_files(path):
    if not os.path.isdir(path):
        return int(os.path.isfile(path))
    with os.scandir(path) as entries:
        return sum(entry.is_file() for entry in entries)


def _remove_leftovers(work_dir):
    """What a killed run left besides archives and their parts."""
    shutil.rmtree(_staging_dir(work_dir), ignore_errors=True)
    if os.path.isdir(work_dir):
        for name in os.listdir(work_dir):
            # pooch's name for a file whose checksum is not known yet.
            if name.startswith("tmp"):
                os.remove(os.path.join(work_dir, name))


def _staging_dir(work_dir):
    return os.path.join(work_dir, "unpacked")


def _check_space(name, folders, data_dir, work_dir, keep_archives):
    needed = _count_needed_bytes(folders, work_dir, keep_archives)
    free = shutil.disk_usage(_find_existing(data_dir)).free
    if needed > free:
        raise DataError(
            f"{data_dir}: {name} needs {needed / _GIB:.1f} GiB of free disk space to "
            f"download and unpack, and {free / _GIB:.1f} GiB are free: "
            f"{(needed - free) / _GIB:.1f} GiB are missing; make room or choose "
            "another folder"
        )
    print(f"{data_dir}: {name} takes up to {needed / _GIB:.1f} GiB on the way here")


def _count_needed_bytes(folders, work_dir, keep_archives):
    """The most that will be taken up at a time, besides what is there already."""
    needed = settled = 0
    for folder in folders:
        archives = sum(_count_missing(archive, work_dir) for archive in folder.archives)
        unpacked = sum(archive.unpacked_bytes for archive in folder.archives)
        needed = max(needed, settled + archives + unpacked)
        settled += unpacked + (archives if keep_archives else 0)
    return needed


def _count_missing(archive, work_dir):
    path = os.path.join(work_dir, archive.file_name)
    present = [os.path.getsize(p) for p in (path, f"{path}.part") if os.path.exists(p)]
    return max(0, archive.num_bytes - sum(present))


def _find_existing(path):
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def _fetch_folder(folder, data_dir, work_dir, keep_archives):
    staging_dir = _staging_dir(work_dir)
    paths = []
    for archive in folder.archives:
        paths.append(os.path.join(work_dir, archive.file_name))
        print(f"{archive.url}: {archive.num_bytes / _GIB:.2f} GiB", flush=True)
        fetch(archive.url, archive.md5, paths[-1])
    for path in paths:
        print(f"{path}: unpacking", flush=True)
        unpack(path, staging_dir)
    staged = os.path.join(staging_dir, folder.path)
    lack = _describe_lack(folder, staged)
    if lack:
        raise DataError(
            f"{', '.join(paths)}: not the files that were expected ({lack})"
        )
    target = os.path.join(data_dir, folder.path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.rename(staged, target)
    shutil.rmtree(staging_dir)
    if not keep_archives:
        for path in paths:
            os.remove(path)
