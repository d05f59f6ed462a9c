"""Names that look alike: the same text in another case, spacing or Unicode form."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

from ehsod_tf.errors import DataError

_KINDS = {
    "upper and lower case": str.casefold,
    "spaces or invisible characters": lambda text: "".join(
        c for c in text if not c.isspace() and unicodedata.category(c) != "Cf"
    ),
    # "é" is one character or two, the letter and its accent.
    "the Unicode form of characters": lambda text: unicodedata.normalize("NFKC", text),
}


def fold(name: str) -> str:
    """Returns what a name has in common with all that look like it."""
    for change in (*_KINDS.values(), *_KINDS.values()):
        name = change(name)
    return name


def describe_difference(first: str, second: str) -> str:
    """Says in what two names that look alike differ, and shows where needed.

    Returns:
        For example "upper and lower case only".
    """
    kinds = []
    for kind in _KINDS:
        others = [change for name, change in _KINDS.items() if name != kind]
        if _apply(others, first) != _apply(others, second):
            kinds.append(kind)
    text = " and ".join(kinds or ["several ways"]) + " only"
    if _apply([str.casefold], first) != _apply([str.casefold], second):
        text += f": {ascii(first)} against {ascii(second)}"
    return text


def _apply(changes, text: str) -> str:
    for change in changes:
        text = change(text)
    return text


def find_similar(name: str, known_names: Iterable[str]) -> list[str]:
    """Returns the names that were probably meant: the lookalike, or the nearest."""
    known_names = list(known_names)
    alike = [known for known in known_names if fold(known) == fold(name)]
    return alike[:1] or get_close_matches(name, known_names, n=3)


def suggest(name: str, known_names: Iterable[str]) -> str:
    """Says which of the known names were probably meant, or what there is."""
    known_names = list(known_names)
    similar = find_similar(name, known_names)
    if similar and fold(similar[0]) == fold(name):
        difference = describe_difference(name, similar[0])
        return f"did you mean {similar[0]!r}? It differs in {difference}"
    if similar:
        return "did you mean " + " or ".join(map(repr, similar)) + "?"
    shown = ", ".join(known_names[:20]) + (", ..." if len(known_names) > 20 else "")
    return f"known are: {shown}"


def list_lookalikes(
    names: Iterable[str], others: Iterable[str]
) -> list[tuple[str, str]]:
    """Returns pairs of a name and one of the others that looks like it."""
    by_fold: dict[str, list[str]] = {}
    for other in others:
        by_fold.setdefault(fold(other), []).append(other)
    return [
        (name, other)
        for name in names
        for other in by_fold.get(fold(name), [])
        if name != other
    ]


def refuse_lookalikes(class_names: Iterable[str], source: str) -> None:
    """Raises DataError if two classes that nobody listed look alike."""
    class_names = sorted(class_names)
    pairs = list_lookalikes(class_names, class_names)
    if pairs:
        first, second = pairs[0]
        raise DataError(
            f"{source}: the classes {first!r} and {second!r} differ in "
            f"{describe_difference(first, second)}; give both one name, or list all "
            "classes in class_names if they are two"
        )


def find_joined_names(name: str, names: Iterable[str]) -> str | None:
    """Returns what is wrong with a class name that seems to be several, as "bus|cat".

    Bars, commas and tabs are taken for separators in any case, other characters where
    what they separate are class names too.
    """
    names = set(names)
    for separator in ("|", ",", "\t", "/", "+", "&", " "):
        parts = [part.strip() for part in name.split(separator)]
        if len(parts) > 1 and (separator in "|,\t" or names.issuperset(parts)):
            return (
                f"{name!r} seems to be {len(parts)} classes in one; separate labels "
                "by semicolons, or list it in class_names if it is one class"
            )
    return None
