"""One run at a time in a folder; a crash leaves no lock behind."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest

from ehsod_tf.errors import FolderInUseError
from ehsod_tf.training import own_run_folder, require_unowned

OWNER = """
import sys
from ehsod_tf.training.ownership import own_run_folder
with own_run_folder(sys.argv[1]):
    print("owned", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path):
    """A process that owns ``tmp_path / "run"``."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "owned\n"
    yield process
    process.kill()
    process.communicate()


def test_second_run_is_told_which_process_where_and_since_when(owner, tmp_path):
    folder = str(tmp_path / "run")
    for refused in (own_run_folder(folder).__enter__, lambda: require_unowned(folder)):
        with pytest.raises(FolderInUseError) as caught:
            refused()
        assert str(caught.value).startswith(
            f"{folder} is in use by process {owner.pid} on {os.uname().nodename} since "
        )
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    # What it wrote is still there, and does not count.
    assert json.loads((tmp_path / "run/owner.json").read_text())
    require_unowned(folder)
    with own_run_folder(folder):
        record = json.loads((tmp_path / "run/owner.json").read_text())
        assert record["process"] == os.getpid()


def test_folder_is_owned_once_also_within_a_process(tmp_path):
    with own_run_folder(str(tmp_path)):
        with pytest.raises(FolderInUseError, match=f"process {os.getpid()} "):
            own_run_folder(str(tmp_path)).__enter__()
        with pytest.raises(FolderInUseError):
            require_unowned(str(tmp_path))
    with own_run_folder(str(tmp_path)):
        pass
    require_unowned(str(tmp_path))


def test_folder_without_a_run_is_nobodys(tmp_path):
    require_unowned(str(tmp_path))
    require_unowned(str(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []


def test_file_system_without_locks_is_named(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level("WARNING", logger="absl"), own_run_folder(str(tmp_path)):
        pass
    assert "this file system has no locks (No locks available)" in caplog.text


@pytest.mark.parametrize("name", ["history.csv", "report.html", "owner.json"])
def test_folder_in_the_place_of_a_file_is_found_before_the_run(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(IsADirectoryError, match=name):
        own_run_folder(str(tmp_path)).__enter__()


@pytest.mark.parametrize("name", ["checkpoints", "tensorboard", "saved_model"])
def test_file_in_the_place_of_a_folder_is_found_before_the_run(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(NotADirectoryError, match=name):
        own_run_folder(str(tmp_path)).__enter__()
