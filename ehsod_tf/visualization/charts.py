"""Line charts as inline SVG: no script, no file beside the page, light and dark.

Colours come from the page's style sheet (`ehsod_tf.visualization.html`), so that one
chart serves both schemes.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 24

# The style sheet holds as many colours for lines.
MAX_SERIES = 5


class Series(NamedTuple):
    """One line of a chart: its name and its points, in the order of `xs`."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


def draw_line_chart(title: str, series: Sequence[Series], x_name: str) -> str:
    """Draws lines over a common axis, the y axis from 0.

    Each point tells its value to the mouse. The last value of each line stands beside
    the line's name.

    Args:
        title: heading of the chart.
        series: 1 to `MAX_SERIES` lines, each with at least one point, all finite.
        x_name: what x counts, e.g. "epoch".

    Returns:
        An HTML ``<figure>``.

    Raises:
        ValueError: there are no lines, too many, or one without points.
    """
    if not 1 <= len(series) <= MAX_SERIES or not all(len(s.xs) for s in series):
        raise ValueError(
            f"chart {title!r} needs 1 to {MAX_SERIES} lines with points, not "
            f"{[(s.name, len(s.xs)) for s in series]}"
        )
    x_axis = _Axis.span([x for s in series for x in s.xs], _LEFT, WIDTH - _RIGHT, False)
    y_axis = _Axis.span([y for s in series for y in s.ys], HEIGHT - _BOTTOM, _TOP, True)
    parts = [_draw_grid(x_axis, y_axis, x_name)]
    parts += [
        _draw_line(number, line, x_axis, y_axis, x_name)
        for number, line in enumerate(series, start=1)
    ]
    label = escape(f"{title} by {x_name}", quote=True)
    return (
        f'<figure class="chart"><figcaption>{_draw_caption(title, series)}'
        f'</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg></figure>'
    )


def choose_ticks(
    low: float, high: float, most: int, *, whole: bool = False
) -> list[float]:
    """Chooses at most `most` round, evenly spaced numbers within [low, high].

    Args:
        low: lower end.
        high: upper end.
        most: at least 2.
        whole: whole numbers only.
    """
    if high <= low:
        return [low]
    rough = (high - low) / (most - 1)
    rough = max(rough, 1.0) if whole else rough
    power = 10.0 ** math.floor(math.log10(rough))
    factors = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    # The margins absorb rounding, as in 0.3 = 3 * 0.1.
    step = next(f * power for f in factors if f * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


class _Axis(NamedTuple):
    """Maps the values low .. high to the positions start .. end."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def span(cls, values, start, end, from_zero):
        low, high = min(values), max(values)
        if from_zero:
            low, high = min(low, 0.0), max(high, 0.0)
            high += 0.04 * (high - low)
        return cls(low, high, start, end)

    def place(self, value):
        if self.high == self.low:
            return (self.start + self.end) / 2
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def _draw_caption(title, series):
    if len(series) == 1:
        return f"<b>{escape(title)}</b> <span>{_format(series[0].ys[-1])}</span>"
    keys = "".join(
        f'<span><i class="key s{number}"></i>{escape(line.name)} '
        f"{_format(line.ys[-1])}</span>"
        for number, line in enumerate(series, start=1)
    )
    return f"<b>{escape(title)}</b> {keys}"


def _draw_grid(x_axis, y_axis, x_name):
    parts = []
    for value in choose_ticks(y_axis.low, y_axis.high, 5):
        y = y_axis.place(value)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/><text class="tick" text-anchor="end" x="{_LEFT - 6}" '
            f'y="{y + 3.5:.1f}">{_format(value)}</text>'
        )
    for value in choose_ticks(x_axis.low, x_axis.high, 7, whole=True):
        parts.append(
            f'<text class="tick" text-anchor="middle" x="{x_axis.place(value):.1f}" '
            f'y="{HEIGHT - 9}">{_format(value)}</text>'
        )
    parts.append(
        f'<text class="tick" x="{_LEFT - 6}" y="{HEIGHT - 9}" text-anchor="end">'
        f"{escape(x_name)}</text>"
    )
    return "".join(parts)


def _draw_line(number, line, x_axis, y_axis, x_name):
    points = [
        (x_axis.place(x), y_axis.place(y))
        for x, y in zip(line.xs, line.ys, strict=True)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    parts = [
        f'<polyline class="line s{number}" points="{path}"/>'
        f'<circle class="dot s{number}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
    ]
    # A wide, unseen disc around each point for the mouse to find.
    parts += [
        f'<circle class="spot" cx="{x:.1f}" cy="{y:.1f}" r="6"><title>'
        f"{escape(line.name)}, {escape(x_name)} {_format(value_x)}: "
        f"{_format(value_y)}</title></circle>"
        for (x, y), value_x, value_y in zip(points, line.xs, line.ys, strict=True)
    ]
    return "".join(parts)


def _format(value):
    return f"{value:.4g}"
