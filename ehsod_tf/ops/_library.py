"""Finds and loads the compiled ops, and decides which backend a call takes.

The library is loaded at the first call that may use it, never at import, and only
into the TensorFlow version that it was built against: an op library of another
version can crash the process.
"""

import contextlib
import contextvars
import functools
import json
import pathlib
import warnings

import tensorflow as tf

from ehsod_tf.errors import EhsodError, require_choice
from ehsod_tf.ops import reference

BACKENDS = ("auto", "native", "stock")
FOLDER = pathlib.Path(__file__).parent / "_native"
LIBRARY_PATH = FOLDER / "libehsod_ops.so"
BUILD_INFO_PATH = FOLDER / "build_info.json"

REMEDY = "install a C++ compiler and run `python ops/build.py`"


class NativeOpsUnavailableError(EhsodError):
    """The compiled ops cannot be used here; says why and what to do."""


def read_build_info():
    """Returns the record that the build left beside the library, as a dict.

    Keys: `tensorflow` (version built against), `compiler`, `cuda` (toolkit version
    or None) and `cuda_architectures`.

    Raises:
        NativeOpsUnavailableError: there is no library, or no readable record of it.
    """
    if not LIBRARY_PATH.exists():
        raise NativeOpsUnavailableError(
            f"{LIBRARY_PATH}: the compiled ops were not built; {REMEDY}."
        )
    try:
        info = json.loads(BUILD_INFO_PATH.read_text())
        return {
            key: info[key]
            for key in ("tensorflow", "compiler", "cuda", "cuda_architectures")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NativeOpsUnavailableError(
            f"{BUILD_INFO_PATH}: unreadable record of the build ({error}); {REMEDY}."
        ) from error


@functools.cache
def _load():
    """Returns (module, None), or (None, the reason why there is no module)."""
    try:
        built_for = read_build_info()["tensorflow"]
        if built_for != tf.__version__:
            raise NativeOpsUnavailableError(
                f"{LIBRARY_PATH}: built against TensorFlow {built_for}, but "
                f"{tf.__version__} is running; rebuild with `python ops/build.py`."
            )
        return tf.load_op_library(str(LIBRARY_PATH)), None
    except NativeOpsUnavailableError as error:
        return None, str(error)
    except (tf.errors.OpError, OSError) as error:
        return None, f"{LIBRARY_PATH}: does not load ({error}); {REMEDY}."


def load_library():
    """Returns the module of the compiled ops.

    Raises:
        NativeOpsUnavailableError: they are not built, were built against another
            TensorFlow, or do not load.
    """
    module, reason = _load()
    if module is None:
        raise NativeOpsUnavailableError(reason)
    return module


_auto_backend = contextvars.ContextVar("auto_backend", default="auto")


@contextlib.contextmanager
def use_backend(backend):
    """Makes "auto" mean `backend` within the block.

    A graph keeps the ops that it was traced with, so tracing a model inside this block
    decides for good which ops an exported model needs.

    Args:
        backend: "auto", "native" or "stock".
    """
    require_choice("backend", backend, BACKENDS)
    token = _auto_backend.set(backend)
    try:
        yield
    finally:
        _auto_backend.reset(token)


_replacements = contextvars.ContextVar("replacements", default=None)


@contextlib.contextmanager
def use_replacements(operations):
    """Makes "auto" mean the functions of `operations` within the block.

    For graphs that leave TensorFlow: other runtimes lack some of the stock ops, or have
    better ones of their own.

    Args:
        operations: a module or an object with the functions of `reference`.
    """
    token = _replacements.set(operations)
    try:
        yield
    finally:
        _replacements.reset(token)


def choose_stock_ops(backend="auto"):
    """Returns what serves a call for which `choose_library` has no library."""
    return (backend == "auto" and _replacements.get()) or reference


@functools.cache
def _warn_once(reason):
    warnings.warn(f"Using stock TensorFlow ops: {reason}", RuntimeWarning, stacklevel=4)


def choose_library(backend):
    """Returns the module of the compiled ops, or None where stock ops serve the call.

    Args:
        backend: "native" demands the compiled ops, "stock" avoids them, "auto" takes
            them where they are available and warns once where they are not.

    Raises:
        NativeOpsUnavailableError: `backend` is "native" and they are not available.
        ConfigError: `backend` is none of the three.
    """
    require_choice("backend", backend, BACKENDS)
    if backend == "auto":
        backend = "stock" if _replacements.get() else _auto_backend.get()
    if backend == "stock":
        return None
    if backend == "native":
        return load_library()
    module, reason = _load()
    if module is None:
        _warn_once(reason)
    return module
