"""Imports from folders that are no part of the package."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def importing_from(folder: str | os.PathLike) -> Iterator[None]:
    """Lets a folder's scripts be imported, by names that later imports do not see."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
