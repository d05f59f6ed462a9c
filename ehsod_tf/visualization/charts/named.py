"""Charts with a name at each bar or point: of classes, of kinds of errors."""

from collections.abc import Sequence

from ehsod_tf.visualization.charts.axes import (
    LETTER,
    MARGINS,
    fit,
    locate,
    locate_log,
    name_axes,
    shorten,
    spell,
)
from ehsod_tf.visualization.charts.parts import MARKS, Chart, Key
from ehsod_tf.visualization.charts.svg import (
    INK,
    QUIET,
    SERIES,
    WIDTH,
    Spot,
    make_figure,
    place,
    place_around,
    to_svg,
)


def draw_ranking(
    title: str, note: str, rows: Sequence[tuple[str, float, str]], full: float | None
) -> Chart:
    """Draws horizontal bars, the first row on top.

    Args:
        title, note: see `draw_bars`.
        rows: for each its name, its length and the text at its end.
        full: where the axis ends; by default at the longest bar.
    """
    height = 30 + 22 * len(rows)
    figure, axes = make_figure(height)
    lengths = [length for _, length, _ in rows]
    bars = axes.barh(range(len(rows)), lengths, 0.7, color=SERIES[0])
    texts = [spell(text) for _, _, text in rows]
    axes.bar_label(bars, texts, fontsize=10.5, color=INK, padding=4)
    axes.set_yticks(range(len(rows)), [spell(name) for name, *_ in rows])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.35 * (full or max(*lengths, 1e-9)))
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(locate(5))
    left = 14 + LETTER * max(len(shorten(name)) for name, *_ in rows)
    fit(figure, axes, left=left)
    spots = []
    for i, (name, _, text) in enumerate(rows):
        _, middle = place(axes, 0, i)
        spots.append(Spot((0, middle - 11, WIDTH, middle + 11), f"{name}: {text}"))
    return Chart(title, note, [], to_svg(figure, f"{title}: {note}", spots))


def draw_dots(
    title: str,
    note: str,
    rows: Sequence[tuple[str, Sequence[float | None]]],
    names: Sequence[str],
    unit: str,
) -> Chart:
    """Draws a mark for each value of each row, on one line a row.

    Args:
        title, note: see `draw_bars`.
        rows: for each its name and a value, or None, for each of `names`.
        names: 1 to `MAX_SERIES` names of what is compared.
        unit: follows the values under the mouse.
    """
    height = 30 + 22 * len(rows)
    figure, axes = make_figure(height)
    for i, (_, values) in enumerate(rows):
        known = [value for value in values if value is not None]
        if known:
            axes.plot([min(known), max(known)], [i, i], color=QUIET, linewidth=1)
    for number in range(len(names)):
        points = [(v[number], i) for i, (_, v) in enumerate(rows)]
        points = [(x, i) for x, i in points if x is not None]
        axes.plot(
            [x for x, _ in points],
            [i for _, i in points],
            linestyle="",
            marker=MARKS[number],
            markersize=7,
            color=SERIES[number],
        )
    axes.set_yticks(range(len(rows)), [spell(name) for name, _ in rows])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(locate(5))
    left = 14 + LETTER * max((len(shorten(name)) for name, _ in rows), default=0)
    fit(figure, axes, left=left)
    spots = [
        Spot(place_around(axes, x, i, 8), f"{names[k]}, {name}: {x:.4f}{unit}")
        for i, (name, values) in enumerate(rows)
        for k, x in enumerate(values)
        if x is not None
    ]
    keys = [Key(k, name, "") for k, name in enumerate(names)]
    return Chart(title, note, keys, to_svg(figure, f"{title}: {note}", spots))


def draw_scatter(
    title: str,
    note: str,
    points: Sequence[tuple[str, float, float]],
    x_name: str,
    y_name: str,
) -> Chart:
    """Draws named points, x on a logarithmic axis, y in [0, 1].

    Args:
        title, note: see `draw_bars`.
        points: for each its name, x from 0 and y.
        x_name, y_name: what they count.
    """
    figure, axes = make_figure()
    xs, ys = [x for _, x, _ in points], [y for _, _, y in points]
    # Zero has its place left of one.
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(-0.2 if min(xs) < 1 else 0.8 * min(xs), 1.5 * max(*xs, 1))
    axes.set_ylim(0, 1.04)
    axes.scatter(xs, ys, s=36, color=SERIES[0], edgecolors=INK, linewidths=0.6)
    axes.xaxis.set_major_locator(locate_log(*axes.get_xlim()))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    name_axes(axes, x_name, y_name)
    fit(figure, axes)
    _label_points(axes, points)
    spots = [
        Spot(place_around(axes, x, y), f"{name}: {x:,} {x_name}, {y_name} {y:.4f}")
        for name, x, y in points
    ]
    return Chart(title, note, [], to_svg(figure, f"{title}: {note}", spots))


def _label_points(axes, points):
    """Names the points, where a name finds a place beside its point that is free."""
    taken = [place_around(axes, x, y, 4) for _, x, y in points]
    for name, x, y in points:
        middle, centre = place(axes, x, y)
        width = 6 * len(shorten(name))
        # Right, left, above, below.
        places = ((6, 0), (-6 - width, 0), (-width / 2, -11), (-width / 2, 11))
        for dx, dy in places:
            left, top = middle + dx, centre + dy - 5
            box = left, top, left + width, top + 10
            is_inside = left > MARGINS["left"] - 20 and box[2] < WIDTH
            if is_inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                axes.annotate(
                    spell(name),
                    (x, y),
                    (dx, -dy - 3.5),
                    textcoords="offset points",
                    fontsize=10,
                    color=INK,
                )
                break


def _overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
