"""What a chart is made of, and how its lines are told apart.

No two lines differ by colour alone: each has its own dashes and marks. The colours are
Okabe and Ito's, darker or lighter where they would not stand out from the page.
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from ehsod_tf.visualization.charts.svg import SERIES

MAX_SERIES = len(SERIES)
# Dashes in points, as SVG has them, and marks, for matplotlib and as letters.
DASHES = ("", "6 2", "2 2", "8 2 2 2", "4 1 1 1 1 1", "10 3", "1 3")
MARKS = "osD^vPX"
MARK_LETTERS = "●■◆▲▼✚✖"


class Series(NamedTuple):
    """One line of a chart: its name, its points by rising x, and what its key says.

    Without a `note` the key gives the last y.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    note: str | None = None


class Key(NamedTuple):
    """Explains the line or bars of number `number`, from 0."""

    number: int
    name: str
    note: str

    @property
    def dashes(self) -> str:
        return DASHES[self.number]

    @property
    def mark(self) -> str:
        return MARK_LETTERS[self.number]


class Chart(NamedTuple):
    """A drawn chart, for the templates."""

    title: str
    note: str
    keys: list[Key]
    svg: Markup
