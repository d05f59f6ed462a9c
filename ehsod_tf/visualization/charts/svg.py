"""From a matplotlib figure to an SVG that lives in a page.

It has no size of its own, takes its colours from the style sheet, so that one chart
serves the light and the dark scheme, and says its values under the mouse.
"""

import io
import logging
import re
import warnings
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH, HEIGHT = 360, 190
# matplotlib needs numbers for colours; these stand for variables of the style sheet.
INK, QUIET, RULE, CARD = "#010101", "#010102", "#010103", "#010104"
_VARIABLES = {INK: "ink", QUIET: "quiet", RULE: "rule", CARD: "card"}
SERIES = tuple(f"#0102{number:02x}" for number in range(1, 8))
_VARIABLES |= {color: f"s{number}" for number, color in enumerate(SERIES, start=1)}

_DROPPED = re.compile(
    r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>"
    r'|(?<=<g) id="[^"]*"|(?<=</g>)\s+|; font-family: [^;"]*|font: ',
    re.DOTALL,
)


class Spot(NamedTuple):
    """A place of a chart that says something under the mouse.

    Attributes:
        box: (left, top, right, bottom) in units of the SVG.
        text: what it says.
    """

    box: tuple[float, float, float, float]
    text: str


def make_figure(height: int = HEIGHT):
    """A matplotlib figure of `WIDTH` by `height` units, and its axes."""
    # It tells of its font cache, which is not our user's business.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.tick_params(length=0, labelsize=10.5, colors=QUIET)
    axes.grid(color=RULE, linewidth=1)
    axes.set_axisbelow(True)
    return figure, axes


def place(axes, x: float, y: float) -> tuple[float, float]:
    """Where a point of the data lies in the SVG."""
    left, bottom = axes.transData.transform((x, y))
    return float(left), float(axes.figure.bbox.height - bottom)


def place_around(axes, x: float, y: float, radius: float = 6) -> tuple:
    """The box of a `Spot` around a point of the data."""
    left, top = place(axes, x, y)
    return left - radius, top - radius, left + radius, top + radius


def to_svg(figure, label: str, spots: list[Spot]) -> Markup:
    """Writes a figure as an inline SVG.

    Args:
        figure: of `make_figure`.
        label: what screen readers say.
        spots: see `Spot`.
    """
    import matplotlib

    settings = {"svg.fonttype": "none", "svg.hashsalt": repr((label, spots))}
    buffer = io.StringIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser has the letters that matplotlib's font lacks.
        warnings.simplefilter("ignore")
        figure.savefig(buffer, format="svg", transparent=True)
    text = _DROPPED.sub("", buffer.getvalue())
    content = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    for color, name in _VARIABLES.items():
        content = content.replace(color, f"var(--{name})")
    height = round(figure.bbox.height)
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"{content.replace('xlink:href', 'href')}"
        f"{''.join(map(_draw_spot, spots))}</svg>"
    )


def _draw_spot(spot):
    left, top, right, bottom = spot.box
    return (
        f'<rect class="spot" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{bottom - top:.1f}" rx="3"><title>{escape(spot.text)}</title></rect>'
    )
