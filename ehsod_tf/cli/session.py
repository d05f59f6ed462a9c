"""What every command has around it: its errors told in one message, and quiet logs."""

import contextlib
import logging
import os
import sys

from absl import logging as absl_logging

USER_ERROR_STATUS = 2


@contextlib.contextmanager
def report_user_errors():
    """Turns an `EhsodError` into a message on standard error and an exit status."""
    _quieten_logs()
    from ehsod_tf.errors import EhsodError

    try:
        yield
    except EhsodError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)


def _quieten_logs():
    """Leaves warnings on, and the libraries' chatter about their own progress off."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    absl_logging.get_absl_handler().addFilter(_is_worth_showing)


def _is_worth_showing(record):
    return record.levelno > logging.INFO or "ehsod_tf" in record.pathname
