"""The lines of TensorFlow's own start: held back, and shown where it fails."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
SPEAKING = "import os; os.write(2, b'oneDNN custom operations are on\\n')\n"


CODE = """
from ehsod_tf.cli.session import report_user_errors
with report_user_errors():
    print("goes on")
"""


def start(tmp_path, module, **settings):
    """Starts a command with a module in TensorFlow's place."""
    (tmp_path / "tensorflow.py").write_text(SPEAKING + module)
    environment = dict(os.environ, PYTHONPATH=f"{tmp_path}:{ROOT}", **settings)
    if not settings:
        environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


SOUND = """
class config:
    @staticmethod
    def list_physical_devices():
        os.write(2, b"failed call to cuInit\\n")
"""


def test_lines_of_a_sound_start_are_held_back(tmp_path):
    done = start(tmp_path, SOUND)
    assert (done.stdout, done.stderr, done.returncode) == ("goes on\n", "", 0)


def test_lines_are_shown_to_whoever_asks_for_them(tmp_path):
    done = start(tmp_path, SOUND, TF_CPP_MIN_LOG_LEVEL="0")
    assert done.stderr == "oneDNN custom operations are on\nfailed call to cuInit\n"


def test_lines_are_shown_before_the_error_of_a_failed_import(tmp_path):
    done = start(tmp_path, "raise ImportError('libcudart.so: no such file\\nmore')")
    assert done.returncode == 2
    assert done.stdout == ""
    said, error = done.stderr.splitlines()
    assert said == "oneDNN custom operations are on"
    assert error.startswith(
        "error: TensorFlow cannot be imported: libcudart.so: no such file; 'pip "
    )


def test_lines_are_shown_where_the_import_ends_the_process(tmp_path):
    done = start(tmp_path, "os.abort()")
    assert done.returncode == -signal.SIGABRT
    assert "oneDNN custom operations are on\n" in done.stderr


@pytest.mark.parametrize(
    "module",
    [
        "os.kill(os.getpid(), 2)",
        # An extension that is interrupted may raise what it likes.
        "try: os.kill(os.getpid(), 2)\nexcept BaseException: raise SystemError",
    ],
)
def test_ctrl_c_during_the_import_is_one_line(tmp_path, module):
    done = start(tmp_path, module)
    assert (done.stdout, done.stderr, done.returncode) == ("", "interrupted\n", 130)
