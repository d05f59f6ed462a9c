"""The image files that a path stands for."""

import glob
import os
import re
from collections.abc import Iterable

from ehsod_tf.data.image_files import IMAGE_EXTENSIONS
from ehsod_tf.errors import DataError


def list_images(sources: str | os.PathLike | Iterable) -> list[str]:
    """Returns the files that paths stand for, those of a folder in natural order.

    Args:
        sources: one or several of: an image file; a folder, such as the frames of a
            video, of which the files with an image's ending are taken; a pattern such
            as ``photos/**/*.jpg``.

    Raises:
        DataError: there is no such file, or no image in a folder.
    """
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    return [path for source in sources for path in _expand(os.fspath(source))]


def _expand(source):
    if os.path.isdir(source):
        names = sorted(os.listdir(source), key=_natural_key)
        paths = [os.path.join(source, name) for name in names if _is_image(name)]
        if not paths:
            raise DataError(
                f"{source}: no image in this folder; images end in "
                f"{', '.join(IMAGE_EXTENSIONS)}"
            )
        return paths
    if os.path.exists(source):
        return [source]
    paths = sorted(glob.glob(source, recursive=True), key=_natural_key)
    paths = [path for path in paths if os.path.isfile(path)]
    if not paths:
        raise DataError(f"{source}: no such file, folder or pattern")
    return paths


def _is_image(name):
    return name.lower().endswith(IMAGE_EXTENSIONS)


def _natural_key(name):
    """frame_9 comes before frame_10."""
    # Not `isdigit`: "²" is a digit to it, and no number to `int`.
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
