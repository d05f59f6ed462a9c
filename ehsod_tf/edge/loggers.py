"""Warnings of converters that say nothing to a user."""

import contextlib
import logging


@contextlib.contextmanager
def quiet(name: str | None):
    """Keeps the warnings of a logger, None for the root, from the user."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
