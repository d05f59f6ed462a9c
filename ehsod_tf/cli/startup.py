"""TensorFlow's import, without the lines that it writes before anything else."""

import contextlib
import logging
import os
import signal
import sys

from absl import logging as absl_logging

from ehsod_tf.errors import EhsodError

INTERRUPTED = "interrupted"
# 128 + SIGINT, as shells have it.
INTERRUPTED_STATUS = 130

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_tensorflow() -> None:
    """Imports TensorFlow and looks for devices; what it says is shown if that fails.

    TensorFlow writes to the file descriptor, from C++ and before its own log level
    counts. Whoever sets ``TF_CPP_MIN_LOG_LEVEL`` to 0 or 1 sees all of it.

    Raises:
        EhsodError: the import fails.
    """
    if "tensorflow" in sys.modules:
        return
    wants_all = os.environ.setdefault(_LEVEL, "2") in ("0", "1")
    try:
        with contextlib.nullcontext() if wants_all else _shown_on_failure():
            import tensorflow as tf

            tf.config.list_physical_devices()
    except ImportError as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise EhsodError(
            f"TensorFlow cannot be imported: {reason}; 'pip install tensorflow' in the "
            "environment that runs this command, and see what it printed above"
        ) from error


def quieten_logs() -> None:
    """Shows our own log lines as plain words, and of other libraries the warnings."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    handler = absl_logging.get_absl_handler()
    handler.setFormatter(_PlainWords())
    if _is_worth_showing not in handler.filters:
        handler.addFilter(_is_worth_showing)


def show_logs() -> None:
    """Shows what all libraries log, TensorFlow's C++ part included."""
    os.environ.setdefault(_LEVEL, "0")
    absl_logging.set_verbosity(absl_logging.DEBUG)
    absl_logging.get_absl_handler().removeFilter(_is_worth_showing)


class _PlainWords(logging.Formatter):
    def format(self, record):
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"warning: {text}"


def _is_worth_showing(record):
    return record.levelno > logging.INFO or "ehsod_tf" in record.pathname


@contextlib.contextmanager
def _shown_on_failure():
    """Holds standard error back, and passes it on unless the block ends well.

    A process of its own holds it, so that it is also shown where the import ends this
    one: TensorFlow aborts on a processor without the instructions that it needs.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    text_out, text_in = os.pipe()
    verdict_out, verdict_in = os.pipe()
    keeper = os.fork()
    if not keeper:
        os.close(text_in)
        os.close(verdict_in)
        _keep(text_out, verdict_out, shown)
    os.dup2(text_in, 2)
    for descriptor in (text_in, text_out, verdict_out):
        os.close(descriptor)

    def drop():
        os.write(verdict_in, b"drop")

    try:
        with _leaving_at_once(drop, shown):
            yield
        drop()
    finally:
        sys.stderr.flush()
        os.dup2(shown, 2)
        os.close(shown)
        os.close(verdict_in)
        os.waitpid(keeper, 0)


def _keep(text_out, verdict_out, shown):
    """Reads until nobody can write; shows it all unless it is to be dropped."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        os.dup2(shown, 2)
        with os.fdopen(text_out, "rb") as pipe:
            text = pipe.read()
        if not os.read(verdict_out, 1):
            os.write(shown, text)
    finally:
        os._exit(0)


@contextlib.contextmanager
def _leaving_at_once(drop, shown):
    """Ends the process at Ctrl-C, which an import can turn into any other error."""
    previous = signal.getsignal(signal.SIGINT)

    def leave(*_):
        drop()
        os.write(shown, f"{INTERRUPTED}\n".encode())
        os._exit(INTERRUPTED_STATUS)

    if previous is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
