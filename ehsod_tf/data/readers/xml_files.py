"""XML files: parsed without entities, and their numbers."""

import math
import re
from xml.etree import ElementTree

from ehsod_tf.data.image_files import describe_missing_file
from ehsod_tf.errors import DataError

# Python's own conversions take "1_000", Arabic digits and "nan" for numbers too.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


class _PlainTreeBuilder(ElementTree.TreeBuilder):
    """Refuses a document type: it can define entities that expand without bound."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise DataError("the file declares a document type; remove its <!DOCTYPE")


def parse_xml(
    path: str, remedy: str = "add it or take the image off the list"
) -> ElementTree.Element:
    """Returns the root of an XML file.

    Args:
        path: of the file.
        remedy: what to do if it is missing.

    Raises:
        DataError: it cannot be read; the message does not name the file.
    """
    parser = ElementTree.XMLParser(target=_PlainTreeBuilder())
    try:
        return ElementTree.parse(path, parser).getroot()
    except FileNotFoundError as error:
        raise DataError(
            describe_missing_file(path, "the annotation is missing", remedy)
        ) from error
    except OSError as error:
        raise DataError(
            f"the annotation cannot be read ({error.strerror}); check the file"
        ) from error
    # LookupError and ValueError: an encoding that is unknown or not supported.
    except (ElementTree.ParseError, LookupError, ValueError, RecursionError) as error:
        raise DataError(
            f"not valid XML ({shorten(str(error))}); write or fetch the file again"
        ) from error


def read_number(text: str) -> float:
    """Returns a number, NaN for a text that is no finite one."""
    text = text.strip()
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    return number if math.isfinite(number) else math.nan


def quote(text: str) -> str:
    """Returns a text as it is written in messages."""
    return repr(shorten(text))


def shorten(text: str) -> str:
    """Returns a text of at most 80 characters."""
    return text if len(text) <= 80 else f"{text[:77]}..."
