"""Charts: points and bars in their places, and nothing told by colour alone."""

import re

import pytest

from ehsod_tf.visualization.charts import (
    MAX_SERIES,
    Series,
    draw_bars,
    draw_histogram,
    draw_lines,
    draw_ranking,
    draw_scatter,
    draw_stacks,
)

SPOT = re.compile(
    r'<rect class="spot" x="([^"]*)" y="([^"]*)" width="([^"]*)" height="([^"]*)" '
    r'rx="3"><title>([^<]*)</title>'
)


def read_spots(chart):
    """{text: (centre x, centre y)} of what the mouse finds."""
    spots = {}
    for x, y, width, height, text in SPOT.findall(chart.svg):
        spots[text] = float(x) + float(width) / 2, float(y) + float(height) / 2
    return spots


def read_bars(chart):
    """(x, width, height) of the bars."""
    path = r"M ([\d.]+) ([\d.]+) \nL ([\d.]+) [\d.]+ \nL [\d.]+ ([\d.]+) \n"
    bars = re.findall(path + r"[^\"]*\" [^>]*fill: var\(--s1\)", chart.svg)
    return [
        (float(x), float(right) - float(x), float(bottom) - float(top))
        for x, bottom, right, top in bars
    ]


def test_points_lie_on_a_straight_line_that_falls():
    chart = draw_lines("loss", [Series("loss", [1, 2, 4], [6, 5, 3])], "epoch")
    spots = read_spots(chart)
    (x1, y1), (x2, y2), (x3, y3) = (
        spots[f"loss, epoch {x}: {y}"] for x, y in ((1, 6), (2, 5), (4, 3))
    )
    assert x3 - x2 == pytest.approx(2 * (x2 - x1), abs=0.2)
    assert y3 - y2 == pytest.approx(2 * (y2 - y1), abs=0.2)
    # SVG counts y downwards.
    assert x1 < x2 and y1 < y2


def test_spots_lie_on_the_drawn_line():
    chart = draw_lines("a", [Series("a", [1, 2, 5], [4, 1, 3])], "epoch")
    [path] = re.findall(
        r'<path d="([^"]*)"[^>]*stroke: var\(--s1\); stroke-w', chart.svg
    )
    drawn = [tuple(map(float, p)) for p in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)]
    for point, spot in zip(drawn, read_spots(chart).values(), strict=True):
        assert point == pytest.approx(spot, abs=0.1)


def test_every_value_and_name_is_told():
    series = [Series("stage 1", [1, 2], [0.625, 0.5]), Series("stage 2", [2], [0.375])]
    chart = draw_lines("mid", series, "epoch")
    assert set(read_spots(chart)) == {
        "stage 1, epoch 1: 0.625",
        "stage 1, epoch 2: 0.5",
        "stage 2, epoch 2: 0.375",
    }
    assert [(key.name, key.note) for key in chart.keys] == [
        ("stage 1", "0.5"),
        ("stage 2", "0.375"),
    ]


def test_lines_differ_by_dashes_and_marks_too():
    series = [Series(f"line {k}", [1, 2], [k, k + 1]) for k in range(MAX_SERIES)]
    chart = draw_lines("all", series, "epoch")
    assert len({key.dashes for key in chart.keys}) == MAX_SERIES
    assert len({key.mark for key in chart.keys}) == MAX_SERIES
    dashes = re.findall(r"stroke-dasharray: ([\d., ]+)", chart.svg)
    assert len(set(dashes)) == MAX_SERIES - 1


def test_colours_come_from_the_style_sheet():
    charts = [
        draw_lines("a", [Series("a", [1, 2], [1, 2])] * MAX_SERIES, "epoch"),
        draw_scatter("a", "", [("x", 3, 0.5)], "boxes", "AP"),
        draw_ranking("a", "", [("x", 3, "3")], None),
        draw_stacks("a", "", [1], {"x": [3.0], "y": [1.0]}, "epoch", "s"),
    ]
    for chart in charts:
        assert not re.search("#[0-9a-f]{6}(?![0-9a-f])", chart.svg.replace('"#', '"'))
        assert "<style" not in chart.svg and "<metadata" not in chart.svg


@pytest.mark.parametrize("value", [0.0, 3.5, -1.0])
def test_single_point_stays_inside(value):
    chart = draw_lines("x", [Series("x", [1], [value])], "epoch")
    [(x, y)] = read_spots(chart).values()
    assert 0 < x < 360 and 0 < y < 190


@pytest.mark.parametrize("name", ['<a "b">', "$\\frac{", "-->", "日本", "\udce9"])
def test_names_are_escaped_and_no_formulas(name):
    charts = [
        draw_lines(name, [Series(name, [1], [1])] * 2, name),
        draw_bars(name, name, [name], [1]),
        draw_ranking(name, name, [(name, 3, name)], None),
        draw_scatter(name, name, [(name, 3, 0.5)], name, name),
        draw_stacks(name, name, [1], {name: [3.0]}, name, name),
    ]
    for chart in charts:
        assert name not in chart.svg or name in ("$\\frac{", "日本", "\udce9")


@pytest.mark.parametrize(
    "series", [[], [Series("x", [], [])], [Series("x", [1], [1])] * (MAX_SERIES + 1)]
)
def test_unusable_lines_are_refused(series):
    with pytest.raises(ValueError, match="needs 1 to"):
        draw_lines("title", series, "epoch")


def test_bars_are_as_high_as_their_counts():
    chart = draw_bars("boxes", "by size", ["0", "1", "2-3"], [100, 0, 50])
    (x1, width, high), (x2, _, none), (x3, _, half) = read_bars(chart)
    assert high == pytest.approx(2 * half, abs=0.2) and none == 0
    assert x3 - x2 == pytest.approx(x2 - x1, abs=0.1) and x2 - x1 >= width
    spots = read_spots(chart)
    assert spots["2-3: 50"][0] == pytest.approx(x3 + width / 2, abs=0.2)
    assert {"0: 100", "1: 0", "2-3: 50"} == set(spots)


@pytest.mark.parametrize("num_bars, has_numbers", [(5, True), (60, False)])
def test_counts_stand_above_bars_where_there_is_room(num_bars, has_numbers):
    names = [str(i) for i in range(num_bars)]
    counts = [1000 + i for i in range(num_bars)]
    chart = draw_bars("boxes", "by number", names, counts)
    assert (">1,004<" in chart.svg) == has_numbers
    assert len(read_bars(chart)) == num_bars


def test_histogram_has_ticks_at_powers_of_two():
    edges = [2.0 ** (k / 2) for k in range(-2, 5)]
    chart = draw_histogram("sizes", "pixels", edges, [1, 2, 3, 4, 5, 6])
    for text in ("1/2", "1", "2", "4"):
        assert f">{text}</text>" in chart.svg
    assert "0.707 to 1: 2" in read_spots(chart)


def test_histogram_of_one_centred_bin():
    chart = draw_histogram("ratios", "", [2**-0.25, 2**0.25], [7])
    assert ">1</text>" in chart.svg


def test_chart_without_bars_is_refused():
    with pytest.raises(ValueError, match="'sizes' has no bars"):
        draw_histogram("sizes", "", [1.0], [])


def test_scatter_names_points_and_takes_zero():
    points = [("none", 0, 0.1), ("few", 10, 0.5), ("many", 10_000, 0.75)]
    chart = draw_scatter("AP", "", points, "boxes", "AP")
    spots = read_spots(chart)
    xs = [spots[f"{name}: {x:,} boxes, AP {y:.4f}"][0] for name, x, y in points]
    assert xs == sorted(xs) and xs[0] > 20 and xs[2] < 360
    for name, *_ in points:
        assert f">{name}</text>" in chart.svg


def test_stacks_lie_on_each_other():
    parts = {"wait": [1.0, 2.0], "step": [3.0, 2.0]}
    spots = read_spots(draw_stacks("time", "", [1, 2], parts, "epoch", "s"))
    (x1, wait), (x2, step) = spots["wait, epoch 1: 1 s"], spots["step, epoch 1: 3 s"]
    assert x1 == x2 and step < wait
