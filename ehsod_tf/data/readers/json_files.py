"""JSON files of any content, and the numbers in them."""

import contextlib
import json
import math
from collections.abc import Iterator
from reprlib import repr as shorten

from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError


def load_json(path: str) -> object:
    """Reads a whole file.

    Raises:
        DataError: it cannot be read, is no text in UTF-8 or no JSON, or an object has a
            key twice.
    """
    text = read_text(path)
    with name_json_faults(path):
        try:
            return json.loads(text, object_pairs_hook=require_own_keys)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {error.lineno}, column {error.colno}: not valid JSON "
                f"({error.msg}); write or fetch the file again"
            ) from error


@contextlib.contextmanager
def name_json_faults(path: str) -> Iterator[None]:
    """Raises a `DataError` for what is JSON and yet cannot be read."""
    try:
        yield
    except _RepeatedKeyError as error:
        raise DataError(
            f"{path}: an object has the key {shorten(error.args[0])} twice; keep one"
        ) from error
    # A number of thousands of digits; brackets nested thousands deep.
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: not a file of annotations ({error}); write or fetch it again"
        ) from error


class _RepeatedKeyError(Exception):
    """Of two values under one key, JSON readers silently take the last."""


def require_own_keys(pairs: list[tuple[str, object]]) -> dict:
    """Makes an object of its pairs; within `name_json_faults`, no key may be twice."""
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return record


def to_number(value: object) -> float:
    """Returns a number of JSON, NaN for anything but a finite one below 2^31."""
    # type() and not isinstance(): in Python True is an int.
    if type(value) not in (int, float) or not abs(value) < 2**31:
        return math.nan
    return float(value)


def to_points(value: object) -> list[tuple[float, float]] | None:
    """Returns a list of points (x, y); None for anything else, or an empty one."""
    if not isinstance(value, list) or not value:
        return None
    points = []
    for point in value:
        numbers = list(map(to_number, point)) if isinstance(point, list) else []
        if len(numbers) != 2 or any(map(math.isnan, numbers)):
            return None
        points.append((numbers[0], numbers[1]))
    return points


def to_size(record: dict, height: str, width: str) -> tuple[int, int] | None:
    """Returns (height, width) of two fields, 0 where missing; None if one is wrong."""
    size = []
    for field in (height, width):
        number = to_number(record.get(field) or 0)
        if math.isnan(number) or number < 0 or number != int(number):
            return None
        size.append(int(number))
    return size[0], size[1]
