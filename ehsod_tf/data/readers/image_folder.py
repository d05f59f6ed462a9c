"""The files below a folder, and which of them an annotation means."""

import os
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from urllib.parse import unquote

from ehsod_tf.data.image_files import IMAGE_EXTENSIONS
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import DataError

# Of images that the decoder does not know.
_UNREAD_EXTENSIONS = (
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".dng",
    ".svg",
)

# Label Studio puts eight such digits before the name of an uploaded file.
_UPLOAD_PREFIX = re.compile("[0-9a-f]{8}-")


def walk_files(top: str, others: list[str], findings: Findings) -> Iterator[str]:
    """Yields the paths of all files below a folder, in the order of their names.

    Args:
        top: the folder.
        others: takes the hidden folders and links to folders, which are not entered.
        findings: takes a problem for each folder that cannot be read.
    """

    def report(error: OSError) -> None:
        message = f"the folder cannot be read ({error.strerror}); grant permission"
        findings.add(os.fspath(error.filename), "", "", message)

    for parent, folders, names in os.walk(top, onerror=report):
        for folder in list(folders):
            path = os.path.join(parent, folder)
            # A link may lead back up, round and round.
            if folder.startswith(".") or os.path.islink(path):
                others.append(os.path.relpath(path, os.path.dirname(top)))
                folders.remove(folder)
        folders.sort()
        yield from (os.path.join(parent, name) for name in sorted(names))


def list_image_files(top: str, findings: Findings) -> list[str]:
    """Returns the names, relative to a folder and with "/", of the images below it.

    What might be an image too, but is not read, is counted in a note: images of other
    kinds, and what lies in hidden folders or behind links to folders.

    Raises:
        DataError: there is no such folder.
    """
    others: list[str] = []
    names = _list_names(top, (*IMAGE_EXTENSIONS, *_UNREAD_EXTENSIONS), others, findings)
    images = [name for name in names if name.lower().endswith(IMAGE_EXTENSIONS)]
    others += [name for name in names if name.lower().endswith(_UNREAD_EXTENSIONS)]
    if others:
        findings.note(
            f"{top}: {len(others)} images of a kind that is not read, hidden folders "
            f"or links to folders are passed over ({name_first(others)})"
        )
    return images


def list_files(top: str, extension: str, findings: Findings) -> list[str]:
    """Returns the names, as `list_image_files`, of the files of one extension."""
    return _list_names(top, (extension,), [], findings)


def _list_names(
    top: str, extensions: tuple[str, ...], others: list[str], findings: Findings
) -> list[str]:
    if not os.path.isdir(top):
        raise DataError(f"{top}: there is no such folder; check the path")
    top = top.rstrip(os.sep) or os.sep
    length = len(os.path.join(top, ""))
    return [
        path[length:].replace(os.sep, "/")
        for path in walk_files(top, others, findings)
        if path.lower().endswith(extensions)
        # macOS leaves "._a.jpg" beside "a.jpg".
        and not os.path.basename(path).startswith(".")
    ]


def split_path(reference: str) -> list[str]:
    """Returns the parts of a path of any system, without empty ones and "."."""
    parts = reference.replace("\\", "/").split("/")
    return [part for part in parts if part not in ("", ".")]


class FileIndex:
    """Finds the file of a folder that a path of another place stands for."""

    def __init__(self, names: Iterable[str]):
        """Takes the names of the folder's files, relative to it."""
        self._parts_of_base: dict[str, list[list[str]]] = {}
        for name in names:
            parts = name.split("/")
            self._parts_of_base.setdefault(parts[-1], []).append(parts)

    def find(self, reference: str) -> str | None:
        """Returns the file whose name a path ends with, or that ends with the path.

        The path may be absolute, of Windows, percent-encoded, or have an upload's
        prefix. Of several files, that which has most parts in common with it; None if
        there is none, or several have equally many.
        """
        for text in dict.fromkeys((reference, unquote(reference))):
            parts = split_path(text)
            if not parts:
                return None
            found = self._choose(parts)
            if found is None and _UPLOAD_PREFIX.match(parts[-1]):
                found = self._choose([*parts[:-1], parts[-1][9:]])
            if found is not None:
                return found
        return None

    def _choose(self, parts: list[str]) -> str | None:
        fitting = []
        for other in self._parts_of_base.get(parts[-1], []):
            equal = _count_equal_ends(parts, other)
            # "one/a.jpg" is not "two/a.jpg", though both end alike.
            if equal in (len(parts), len(other)):
                fitting.append((equal, other))
        best = max((equal for equal, _ in fitting), default=0)
        names = [other for equal, other in fitting if equal == best]
        # A file named in full is meant, though another may end like it.
        full = [other for other in names if len(other) == best]
        return "/".join((full or names)[0]) if len(full or names) == 1 else None


def _count_equal_ends(first: list[str], second: list[str]) -> int:
    pairs = zip(reversed(first), reversed(second), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
