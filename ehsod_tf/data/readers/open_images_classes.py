"""The classes of Open Images: names for their codes, and which is a kind of which."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from reprlib import repr as shorten

from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError

_DEEPEST = 50


def read_class_table(path: str | os.PathLike) -> dict[str, str]:
    """Reads names by code from a table of two columns, with a header or without.

    Raises:
        DataError: the file cannot be read, or a row is not a code and a name of its
            own.
    """
    path = os.fspath(path)
    names: dict[str, str] = {}
    rows = csv.reader(read_text(path).splitlines())
    for number, cells in enumerate(rows, start=1):
        if not cells or (number == 1 and cells[:1] == ["LabelName"]):
            continue
        code, name = ([cell.strip() for cell in cells] + ["", ""])[:2]
        if len(cells) != 2 or not code or not name or not name.isprintable():
            raise DataError(
                f"{path}, line {number}: {shorten(cells)} is not a code and a name, "
                "such as /m/01yrx,Cat; correct it"
            )
        if code in names or name in names.values():
            raise DataError(
                f"{path}, line {number}: {shorten(code)} or {shorten(name)} occurs "
                "twice; keep one"
            )
        names[code] = name
    if not names:
        raise DataError(f"{path}: names no class; write or fetch the file anew")
    return names


def read_hierarchy(path: str | os.PathLike) -> dict[str, set[str]]:
    """Reads which classes are kinds of a class.

    Args:
        path: JSON of ``LabelName`` and ``Subcategory``, a list of the same, as Open
            Images publishes it. ``Part`` is not read: a wheel is no kind of car.

    Returns:
        By code of a class, the codes of all below it.

    Raises:
        DataError: the file cannot be read or has another form.
    """
    path = os.fspath(path)
    try:
        root = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: not valid JSON ({error}); write or fetch the file anew"
        ) from error
    below: dict[str, set[str]] = {}
    _collect(root, path, below, depth=0)
    return below


def _collect(node, path: str, below: dict[str, set[str]], depth: int) -> set[str]:
    """Adds a node and all below it; returns their codes."""
    code = node.get("LabelName") if isinstance(node, dict) else None
    kinds = node.get("Subcategory", []) if isinstance(node, dict) else None
    if not isinstance(code, str) or not isinstance(kinds, list) or depth > _DEEPEST:
        raise DataError(
            f"{path}: {shorten(node)} is not a class with LabelName and, if it has "
            "kinds, a list Subcategory; write or fetch the file anew"
        )
    found = set()
    for kind in kinds:
        found |= _collect(kind, path, below, depth + 1)
    below.setdefault(code, set()).update(found)
    return {code} | below[code]


def list_kinds(below: Mapping[str, set[str]], codes: Sequence[str]) -> list[list[int]]:
    """By class, the positions in `codes` of the classes that are kinds of it."""
    place = {code: position for position, code in enumerate(codes)}
    return [
        sorted(place[kind] for kind in below.get(code, ()) if kind in place)
        for code in codes
    ]
