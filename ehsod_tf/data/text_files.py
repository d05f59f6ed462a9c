"""Text files in UTF-8, and what to say of others."""

import codecs

from ehsod_tf.errors import DataError

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def read_text(path: str) -> str:
    """Reads a text file in UTF-8, with or without a byte-order mark.

    Raises:
        DataError: the file cannot be read or is in another encoding.
    """
    content = _read_bytes(path)
    require_utf8(path, content)
    return content.decode("utf-8-sig")


def require_utf8(path: str, content: bytes | None = None) -> None:
    """Raises DataError that says where and why a file is not text in UTF-8.

    Args:
        path: of the file.
        content: its bytes, read again if not given.
    """
    content = _read_bytes(path) if content is None else content
    for mark, name in _MARKS:
        if content.startswith(mark):
            raise DataError(
                f"{path}, line 1: not UTF-8 but {name} text; save the file as UTF-8"
            )
    # Latin letters in UTF-16 without a mark: every other byte is zero.
    if content[:4].count(0) >= 2 and len(content) >= 4:
        raise DataError(
            f"{path}, line 1: not UTF-8 but, it seems, UTF-16 or UTF-32 text without a "
            "byte-order mark; save the file as UTF-8"
        )
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: not UTF-8 ({error.reason}); save the file as UTF-8"
        ) from error


def _read_bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    # ValueError: a path that holds a NUL.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}); check the path") from error
