"""What ends a command: one line for the user and an exit status, never a traceback."""

import errno
import os
import pathlib
import subprocess
import sys

import pytest
from user_errors import expect_line

from ehsod_tf import cli
from ehsod_tf.cli.session import report_user_errors
from ehsod_tf.errors import ConfigError
from ehsod_tf.export import SAVED_MODEL
from ehsod_tf.export.folder import fill_folder
from ehsod_tf.training import own_run_folder

QUICKSTART = str(pathlib.Path(__file__).parent.parent / "configs" / "quickstart.gin")


def end(capsys, error):
    """Raises an error inside a command; returns its line and the exit status."""
    with pytest.raises(SystemExit) as caught, report_user_errors():
        raise error
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err.strip(), caught.value.code


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "permission denied; choose a place where you may write"),
        (errno.EROFS, "read-only file system; choose a place where you may write"),
        (errno.ENOSPC, "no space left on device; free some space, then start again"),
        (errno.ENOTDIR, "not a directory; there is a file where a folder is needed"),
        (errno.EISDIR, "is a directory; there is a folder where a file is needed"),
        (errno.EIO, "input/output error"),
    ],
)
def test_error_of_the_file_system_names_file_and_remedy(capsys, number, remedy):
    line, status = end(capsys, OSError(number, os.strerror(number), "runs/x"))
    assert line.startswith(f"error: runs/x: {remedy}")
    assert status == cli.USER_ERROR_STATUS


def test_full_disk_gives_one_line_though_no_file_is_known(capsys):
    """As when a file is written or closed: the error has no name then."""
    line, status = end(capsys, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert line == ("error: no space left on device; free some space, then start again")
    assert status == cli.USER_ERROR_STATUS


def test_debug_adds_the_traceback(capsys):
    for error in (ConfigError("x"), OSError(errno.EIO, "broken", "runs/x")):
        with pytest.raises(SystemExit), report_user_errors(verbosity="debug"):
            raise error
        assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_users_error_and_ctrl_c(capsys):
    assert end(capsys, ConfigError("x")) == ("error: x", cli.USER_ERROR_STATUS)
    assert end(capsys, KeyboardInterrupt()) == ("interrupted", 130)


def test_other_errors_keep_their_traceback():
    for error in (ValueError("a bug"), OSError("without a file")):
        with pytest.raises(type(error)), report_user_errors():
            raise error


def test_reader_that_has_gone_ends_a_command_quietly():
    code = (
        "import sys; sys.modules['tensorflow'] = sys\n"
        "from ehsod_tf.cli.session import report_user_errors\n"
        "with report_user_errors():\n"
        "    while True: print('line')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"line\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141


# ------------------------------------------------- places that cannot be written


@pytest.fixture
def no_data(monkeypatch):
    """Lets nothing be read: the place is looked at before the data set is."""
    import ehsod_tf.runs.training as runs

    monkeypatch.setattr(
        runs, "load_data", lambda *_: pytest.fail("the data set was read first")
    )


@pytest.mark.usefixtures("no_data")
def test_run_folder_that_is_a_file(capsys, tmp_path):
    (tmp_path / "run").write_text("")
    for place in (tmp_path / "run", tmp_path / "run" / "below"):
        line = expect_line(capsys, cli.train, QUICKSTART, model_dir=str(place))
        assert f"{place}: " in line and "a file where a folder is needed" in line


@pytest.mark.usefixtures("no_data")
def test_run_folder_that_cannot_be_written(capsys, tmp_path, monkeypatch):
    open_file = os.open

    def refuse(path, flags, *rest, **keywords):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_file(path, flags, *rest, **keywords)

    # Root, as whom tests may run, can write anywhere.
    monkeypatch.setattr(os, "open", refuse)
    line = expect_line(capsys, cli.train, QUICKSTART, model_dir=str(tmp_path))
    assert line == (
        f"error: {tmp_path}/owner.json: permission denied; choose a place where you "
        "may write\n"
    )


@pytest.mark.usefixtures("no_data")
def test_run_folder_of_another_run(capsys, tmp_path):
    with own_run_folder(str(tmp_path)):
        line = expect_line(capsys, cli.train, QUICKSTART, model_dir=str(tmp_path))
        assert f"{tmp_path} is in use by process {os.getpid()} on " in line
        # What would be written into it by others is refused too, at once.
        for keywords in ({"output_dir": str(tmp_path)}, {"export": f"{tmp_path}/new"}):
            line = expect_line(capsys, cli.evaluate, "nowhere", **keywords)
            assert "is in use by process" in line


@pytest.mark.parametrize("is_folder", [True, False])
def test_export_replaces_nothing_but_a_saved_model(capsys, tmp_path, is_folder):
    if is_folder:
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "a.jpg").write_text("precious")
    else:
        (tmp_path / "photos").write_text("precious")
    line = expect_line(capsys, cli.export, "nowhere", str(tmp_path / "photos"))
    assert "not a SavedModel that could be replaced; name a new folder" in line
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.read_text() for path in kept] == ["precious"]


def fill(path, text):
    with fill_folder(str(path), SAVED_MODEL) as folder:
        pathlib.Path(folder, "saved_model.pb").write_text(text)


def test_export_to_a_link_replaces_what_it_leads_to(tmp_path):
    disk = tmp_path / "big disk"
    disk.mkdir()
    link = tmp_path / "saved_model"
    link.symlink_to(disk)
    for text in ("old", "new"):
        fill(link, text)
        assert link.is_symlink()
        assert [path.name for path in disk.iterdir()] == ["saved_model.pb"]
        assert (disk / "saved_model.pb").read_text() == text
    assert set(tmp_path.iterdir()) == {disk, link}


def test_export_that_cannot_replace_the_old_says_so_and_keeps_it(tmp_path, monkeypatch):
    fill(tmp_path / "saved_model", "old")

    def refuse(source, target):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), source, None, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="busy"):
        patch.setattr(os, "rename", refuse)
        fill(tmp_path / "saved_model", "new")
    monkeypatch.setattr(os.path, "ismount", lambda path: True)
    with pytest.raises(ConfigError, match="a disk is mounted.*; name a folder in it"):
        fill(tmp_path / "saved_model", "new")
    assert [path.name for path in tmp_path.rglob("*")] == [
        "saved_model",
        "saved_model.pb",
    ]
    assert (tmp_path / "saved_model/saved_model.pb").read_text() == "old"


def test_ctrl_c_while_the_data_set_is_read(capsys, tmp_path, monkeypatch):
    import ehsod_tf.runs.training as runs

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "load_data", interrupt)
    with pytest.raises(SystemExit) as caught:
        cli.train(QUICKSTART, model_dir=str(tmp_path))
    assert caught.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
    # The folder is free again.
    with own_run_folder(str(tmp_path)):
        pass
