"""Line and bar charts as inline SVG: no script, no second file, light and dark.

Colours come from the page's style sheet (`ehsod_tf.visualization.html`), so that one
chart serves both schemes.
"""

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

WIDTH, HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 24

# Width of a letter of the ticks, in units of the chart.
_TICK_LETTER = 6.2

# A single bar over the whole chart would not look like one.
_WIDEST_BAR = 90

# The style sheet holds as many colours for lines.
MAX_SERIES = 5


class Series(NamedTuple):
    """One line of a chart: its name and its points, in the order of `xs`."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


def draw_line_chart(title: str, series: Sequence[Series], x_name: str) -> str:
    """Draws lines over a common axis, the y axis from 0.

    Each point shows its value under the mouse. The last value of each line stands
    beside the line's name.

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


def draw_bar_chart(
    title: str, note: str, names: Sequence[str], counts: Sequence[int]
) -> str:
    """Draws a bar for each name; the counts stand above the bars where there is room.

    Args:
        title: heading of the chart.
        note: what is counted, by what.
        names: n names of the bars.
        counts: n whole numbers from 0.

    Returns:
        An HTML ``<figure>``.

    Raises:
        ValueError: there are no bars.
    """
    _require_bars(title, counts)
    ticks = [(i + 0.5, name) for i, name in enumerate(names)]
    return _draw_bars(title, note, names, counts, ticks)


def draw_histogram(
    title: str, note: str, edges: Sequence[float], counts: Sequence[int]
) -> str:
    """Draws counts on a logarithmic axis, with ticks at the powers of two.

    Args:
        title: heading of the chart.
        note: what is counted, by what.
        edges: n + 1 positive edges, each the same factor above the last.
        counts: n whole numbers from 0.

    Returns:
        An HTML ``<figure>``.

    Raises:
        ValueError: there are no bars.
    """
    _require_bars(title, counts)
    octaves = [math.log2(edge) for edge in edges]
    width = (octaves[-1] - octaves[0]) / len(counts)
    # The margins absorb rounding.
    whole = range(math.ceil(octaves[0] - 1e-9), math.floor(octaves[-1] + 1e-9) + 1)
    ticks = [((octave - octaves[0]) / width, _name_power(octave)) for octave in whole]
    names = [
        f"{low:.3g} to {high:.3g}"
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]
    return _draw_bars(title, note, names, counts, ticks)


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


def _require_bars(title, counts):
    if not len(counts):
        raise ValueError(f"chart {title!r} has no bars")


def _draw_bars(title, note, names, counts, ticks):
    """Draws bars of equal width; the places of the ticks count in bars."""
    pitch = min((WIDTH - _LEFT - _RIGHT) / len(counts), _WIDEST_BAR)
    # Room for the counts above the bars.
    y_axis = _Axis(0.0, 1.08 * max(1, *counts), HEIGHT - _BOTTOM, _TOP)
    parts = [_draw_count_grid(y_axis), _draw_bar_ticks(ticks, pitch)]
    is_roomy = _TICK_LETTER * max(len(f"{count:,}") for count in counts) <= pitch
    for i, (name, count) in enumerate(zip(names, counts, strict=True)):
        x = _LEFT + i * pitch
        parts.append(_draw_bar(x, pitch, y_axis, name, count, is_roomy))
    label = escape(f"{title}: {note}", quote=True)
    return (
        f'<figure class="chart"><figcaption><b>{escape(title)}</b> '
        f'<span class="wide">{escape(note)}</span></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg></figure>"
    )


def _draw_bar(x, pitch, y_axis, name, count, is_roomy):
    base, y = y_axis.start, y_axis.place(count)
    # A single object among thousands must not vanish.
    y = min(y, base - 1.5) if count else base
    gap = min(1.0, pitch / 8)
    number = (
        f'<text class="count" text-anchor="middle" x="{x + pitch / 2:.1f}" '
        f'y="{y - 3:.1f}">{count:,}</text>'
        if is_roomy and count
        else ""
    )
    # The whole height, unseen, for the mouse to find.
    return (
        f'<rect class="column" x="{x + gap:.1f}" y="{y:.1f}" '
        f'width="{pitch - 2 * gap:.1f}" height="{base - y:.1f}"/>{number}'
        f'<rect class="spot" x="{x:.1f}" y="{_TOP}" width="{pitch:.1f}" '
        f'height="{base - _TOP}"><title>{escape(name)}: {count:,}</title></rect>'
    )


def _draw_count_grid(y_axis):
    return "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" '
        f'y2="{y:.1f}"/><text class="tick" text-anchor="end" x="{_LEFT - 6}" '
        f'y="{y + 3.5:.1f}">{value:,.0f}</text>'
        for value in choose_ticks(0.0, y_axis.high, 5, whole=True)
        for y in [y_axis.place(value)]
    )


def _draw_bar_ticks(ticks, pitch):
    """Draws as many names as fit beside each other."""
    widest = _TICK_LETTER * (max((len(name) for _, name in ticks), default=0) + 1)
    distance = min((b[0] - a[0] for a, b in pairwise(ticks)), default=1.0) * pitch
    every = math.ceil(widest / distance)
    return "".join(
        f'<text class="tick" text-anchor="middle" x="{_LEFT + place * pitch:.1f}" '
        f'y="{HEIGHT - 9}">{escape(name)}</text>'
        for place, name in ticks[::every]
    )


def _name_power(octave):
    return str(2**octave) if octave >= 0 else f"1/{2**-octave}"
