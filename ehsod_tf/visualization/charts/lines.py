"""Lines over a common axis, and bars of several parts."""

import math
from collections.abc import Mapping, Sequence

from ehsod_tf.visualization.charts.axes import fit, format_value, locate, name_axes
from ehsod_tf.visualization.charts.parts import (
    DASHES,
    MARKS,
    MAX_SERIES,
    Chart,
    Key,
    Series,
)
from ehsod_tf.visualization.charts.svg import (
    CARD,
    SERIES,
    Spot,
    make_figure,
    place,
    place_around,
    to_svg,
)

_MOST_SPOTS = 30


def draw_lines(
    title: str,
    series: Sequence[Series],
    x_name: str,
    *,
    note: str = "",
    y_max: float | None = None,
    y_name: str = "",
) -> Chart:
    """Draws lines over a common axis, the y axis from 0.

    Args:
        title: heading of the chart.
        series: 1 to `MAX_SERIES` lines, each with at least one point, all finite.
        x_name: what x counts, e.g. "epoch".
        note: a line below the heading.
        y_max: where the y axis ends; from the values by default.
        y_name: what y counts, where the title does not say it.

    Raises:
        ValueError: there are no lines, too many, or one without points.
    """
    if not 1 <= len(series) <= MAX_SERIES or not all(len(s.xs) for s in series):
        raise ValueError(
            f"chart {title!r} needs 1 to {MAX_SERIES} lines with points, not "
            f"{[(s.name, len(s.xs)) for s in series]}"
        )
    figure, axes = make_figure()
    for number, line in enumerate(series):
        _draw_line(axes, number, line)
    low = min(0.0, *(min(s.ys) for s in series))
    high = max(0.0, *(max(s.ys) for s in series)) if y_max is None else y_max
    axes.set_ylim(low, low + 1.04 * (high - low or 1.0))
    name_axes(axes, x_name, y_name)
    fit(figure, axes)
    spots = [spot for s in series for spot in _list_spots(axes, s, x_name)]
    is_alone = len(series) == 1 and series[0].name == title
    keys = [
        Key(number, s.name, format_value(s.ys[-1]) if s.note is None else s.note)
        for number, s in enumerate(series)
    ]
    if is_alone:
        note, keys = keys[0].note, []
    return Chart(title, note, keys, to_svg(figure, f"{title} by {x_name}", spots))


def draw_stacks(
    title: str,
    note: str,
    xs: Sequence[int],
    parts: Mapping[str, Sequence[float]],
    x_name: str,
    unit: str,
) -> Chart:
    """Draws for each x a bar of several parts, hatched each in its own way.

    Args:
        title, note: see `draw_bars`.
        xs: n whole numbers.
        parts: by name n values from 0 each, 1 to `MAX_SERIES`.
        x_name: what x counts.
        unit: of the values.
    """
    figure, axes = make_figure()
    bottoms, spots = [0.0] * len(xs), []
    hatches = ("", "////", "....", "xxxx", "----", "\\\\\\\\", "||||")
    drawn = []
    for number, values in enumerate(parts.values()):
        drawn.append((list(bottoms), values))
        axes.bar(
            xs, values, 0.85, bottoms,
            color=SERIES[number], hatch=hatches[number], edgecolor=CARD,
            linewidth=0,
        )  # fmt: skip
        bottoms = [b + v for b, v in zip(bottoms, values, strict=True)]
    axes.set_xlim(min(xs) - 0.6, max(xs) + 0.6)
    axes.set_ylim(0, 1.04 * max(*bottoms, 1e-9))
    axes.grid(axis="x", visible=False)
    axes.xaxis.set_major_locator(locate(8, integer=True))
    name_axes(axes, x_name, unit)
    fit(figure, axes)
    for name, (starts, values) in zip(parts, drawn, strict=True):
        for x, start, value in zip(xs, starts, values, strict=True):
            (left, top), (right, bottom) = (
                place(axes, x - 0.42, start + value),
                place(axes, x + 0.42, start),
            )
            text = f"{name}, {x_name} {x}: {value:.4g} {unit}"
            spots.append(Spot((left, top, right, bottom), text))
    keys = [
        Key(i, name, f"{sum(values):.4g} {unit}")
        for i, (name, values) in enumerate(parts.items())
    ]
    return Chart(title, note, keys, to_svg(figure, f"{title}: {note}", spots))


def _draw_line(axes, number, line):
    dashes = [float(part) for part in DASHES[number].split()]
    every = max(1, len(line.xs) // 6)
    axes.plot(
        line.xs,
        line.ys,
        color=SERIES[number],
        linestyle=(0, dashes) if dashes else "-",
        linewidth=1.8,
        marker=MARKS[number],
        markersize=4.5,
        # The last point has a mark: it is what the key gives.
        markevery=list(range(len(line.xs) - 1, -1, -every)),
    )


def _list_spots(axes, line, x_name):
    every = math.ceil(len(line.xs) / _MOST_SPOTS)
    return [
        Spot(
            place_around(axes, x, y),
            f"{line.name}, {x_name} {format_value(x)}: {format_value(y)}",
        )
        for x, y in list(zip(line.xs, line.ys, strict=True))[::every]
    ]
