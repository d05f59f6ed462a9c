"""Counts in sentences: of one thing and of several the words differ."""


def count(number: int, one: str, several: str = "") -> str:
    """Returns a number and the words that follow it: "1 image is", "1,200 images are".

    Args:
        number: how many there are.
        one: the words after 1, such as "image" or "image is".
        several: the words after any other number; if empty, `one` with an "s".
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"
