"""Bars and histograms of counts."""

import math
from collections.abc import Sequence

from ehsod_tf.visualization.charts.axes import LETTER, MARGINS, count_ticks, fit, spell
from ehsod_tf.visualization.charts.parts import Chart
from ehsod_tf.visualization.charts.svg import (
    HEIGHT,
    INK,
    SERIES,
    WIDTH,
    Spot,
    make_figure,
    place,
    to_svg,
)

# A single bar over the whole chart would not look like one.
_WIDEST_BAR = 90


def draw_bars(
    title: str,
    note: str,
    names: Sequence[str],
    counts: Sequence[int],
    ticks: Sequence[tuple[float, str]] | None = None,
) -> Chart:
    """Draws a bar for each name; the counts stand above the bars where there is room.

    Args:
        title: heading of the chart.
        note: what is counted, by what.
        names: n names of the bars.
        counts: n whole numbers from 0.
        ticks: places, counted in bars, and names along the axis; by default each bar
            has its name, as far as they fit beside each other.

    Raises:
        ValueError: there are no bars.
    """
    if not len(counts):
        raise ValueError(f"chart {title!r} has no bars")
    figure, axes = make_figure()
    num_bars, width = len(counts), WIDTH - MARGINS["left"] - MARGINS["right"]
    pitch = min(width / num_bars, _WIDEST_BAR)
    axes.set_xlim(0, width / pitch)
    axes.set_ylim(0, 1.12 * max(1, *counts))
    axes.grid(axis="x", visible=False)
    bars = axes.bar([i + 0.5 for i in range(num_bars)], counts, 0.9, color=SERIES[0])
    if max(len(f"{count:,}") for count in counts) * LETTER <= pitch:
        labels = [f"{count:,}" if count else "" for count in counts]
        axes.bar_label(bars, labels, fontsize=10.5, color=INK, padding=1)
    if ticks is None:
        ticks = [(i + 0.5, name) for i, name in enumerate(names)]
        widest = LETTER * (max(map(len, names)) + 1)
        ticks = ticks[:: max(1, math.ceil(widest / pitch))]
    axes.set_xticks([x for x, _ in ticks], [spell(name) for _, name in ticks])
    count_ticks(axes)
    fit(figure, axes)
    spots = []
    for i, (name, count) in enumerate(zip(names, counts, strict=True)):
        (left, _), (right, _) = place(axes, i, 0), place(axes, i + 1, 0)
        box = left, MARGINS["top"], right, HEIGHT - MARGINS["bottom"]
        spots.append(Spot(box, f"{name}: {count:,}"))
    return Chart(title, note, [], to_svg(figure, f"{title}: {note}", spots))


def draw_histogram(
    title: str, note: str, edges: Sequence[float], counts: Sequence[int]
) -> Chart:
    """Draws counts on a logarithmic axis, with ticks at the powers of two.

    Args:
        title, note: see `draw_bars`.
        edges: n + 1 positive edges, each the same factor above the last.
        counts: n whole numbers from 0.

    Raises:
        ValueError: there are no bars.
    """
    octaves = [math.log2(edge) for edge in edges]
    width = (octaves[-1] - octaves[0]) / max(1, len(counts)) or 1.0
    # The margins absorb rounding.
    whole = range(math.ceil(octaves[0] - 1e-9), math.floor(octaves[-1] + 1e-9) + 1)
    names = [
        f"{low:.3g} to {high:.3g}"
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]
    ticks = [((octave - octaves[0]) / width, _name_power(octave)) for octave in whole]
    return draw_bars(title, note, names, counts, ticks)


def _name_power(octave):
    return str(2**octave) if octave >= 0 else f"1/{2**-octave}"
