"""A run folder belongs to one run at a time.

Two runs in one folder would write one history, one row of each. The owner holds a lock
of the file system on ``owner.json``, which goes with its process, however that ends; on
shared file systems too (NFS, Lustre, CIFS). What the file says is for people only.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator

from absl import logging

from ehsod_tf.errors import FolderInUseError

OWNER_FILE = "owner.json"
_FILES = (
    "operative_config.gin",
    "split.json",
    "left_out.csv",
    "history.csv",
    "timings.csv",
    "metrics.json",
    "detections.json",
    "report.html",
    OWNER_FILE,
)
_FOLDERS = ("checkpoints", "tensorboard", "saved_model")
_NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def own_run_folder(folder: str) -> Iterator[None]:
    """Makes the folder, and holds it for this process until the block ends.

    Where the file system has no locks, a warning says so and the block is entered.

    Raises:
        FolderInUseError: another run holds it; says which, where and since when.
        OSError: the folder cannot be written, or something stands in the place of one
            of the files and folders that a run leaves.
    """
    os.makedirs(folder, exist_ok=True)
    _require_places(folder)
    descriptor = os.open(os.path.join(folder, OWNER_FILE), os.O_RDWR | os.O_CREAT)
    try:
        _lock(descriptor, folder)
        _write_record(descriptor)
        yield
        # Empty, as a sign that the run has left in good order.
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def require_unowned(folder: str) -> None:
    """Raises a `FolderInUseError` if a run is at work in a folder.

    For commands that would write into it. Reading is harmless: checkpoints and tables
    are replaced as a whole.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        descriptor = os.open(os.path.join(folder, OWNER_FILE), os.O_RDWR)
        try:
            _lock(descriptor, folder)
        finally:
            os.close(descriptor)


def _lock(descriptor, folder):
    try:
        # Not `lockf`, which lets one process lock twice. On NFS, Linux makes the one
        # lock of the other.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FolderInUseError(
            f"{folder} is in use by {_describe_owner(descriptor)}; wait for its end, "
            "or take another folder (--model_dir)"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
        logging.warning(
            "%s: this file system has no locks (%s), so nothing keeps a second run "
            "out of the folder; do not start one",
            folder,
            error.strerror,
        )


def _write_record(descriptor):
    record = {
        "process": os.getpid(),
        "machine": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(record).encode(), 0)
    # So that other machines can read it.
    os.fsync(descriptor)


def _describe_owner(descriptor):
    try:
        record = json.loads(os.pread(descriptor, 4096, 0))
        return (
            f"process {record['process']} on {record['machine']} since "
            f"{record['since']}"
        )
    # It has just been locked and is about to be written.
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"


def _require_places(folder):
    """Raises where a file is in a folder's place, or a folder in a file's."""
    for name in _FILES:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    for name in _FOLDERS:
        path = os.path.join(folder, name)
        if os.path.lexists(path) and not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
