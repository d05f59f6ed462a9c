"""What every command has around it: its errors in one message, and quiet logs."""

import contextlib
import errno
import os
import sys
import traceback

from ehsod_tf.cli.startup import (
    INTERRUPTED,
    INTERRUPTED_STATUS,
    import_tensorflow,
    quieten_logs,
    show_logs,
)
from ehsod_tf.errors import EhsodError

USER_ERROR_STATUS = 2
# 128 + SIGPIPE, as shells have it.
_PIPE_STATUS = 141
_REMEDIES = {
    errno.EACCES: "choose a place where you may write",
    errno.EPERM: "choose a place where you may write",
    errno.EROFS: "choose a place where you may write",
    errno.ENOTDIR: "there is a file where a folder is needed; move it away",
    errno.EEXIST: "there is a file where a folder is needed; move it away",
    errno.EISDIR: "there is a folder where a file is needed; move it away",
    errno.EBUSY: "something holds this place, such as a mount; name a folder in it",
    errno.ENOSPC: "free some space, then start again",
    errno.EDQUOT: "free some space, then start again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


@contextlib.contextmanager
def report_user_errors(*, needs_tensorflow: bool = True, verbosity: str = "normal"):
    """Turns a user's error into a message on standard error and an exit status.

    So it does with an error of the file system, which no data and no setting is to
    blame for, and with Ctrl-C.

    Args:
        needs_tensorflow: import it, without its start-up lines.
        verbosity: "debug" shows these lines, what the libraries log, and the traceback
            of an error too.
    """
    is_debug = verbosity == "debug"
    if is_debug:
        show_logs()
    else:
        quieten_logs()
    try:
        if needs_tensorflow:
            import_tensorflow()
        yield
        sys.stdout.flush()
    except EhsodError as error:
        if is_debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)
    except BrokenPipeError:
        # Whoever read the output has gone, such as `head`; nothing can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_PIPE_STATUS)
    except OSError as error:
        # Without a file it may be a bug; of a full disk, no error of a write names one.
        if error.filename is None and error.errno not in _REMEDIES:
            raise
        if is_debug:
            traceback.print_exc()
        print(f"error: {describe_os_error(error)}", file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(INTERRUPTED_STATUS)


def describe_os_error(error: OSError) -> str:
    """The file, if it is known, what is wrong with it, and what to do."""
    names = [error.filename, error.filename2]
    path = " -> ".join(os.fsdecode(name) for name in names if name is not None)
    text = (error.strerror or str(error)).lower()
    remedy = _REMEDIES.get(error.errno)
    return f"{path}: " * bool(path) + text + f"; {remedy}" * bool(remedy)
