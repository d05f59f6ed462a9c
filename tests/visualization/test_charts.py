"""Charts: ticks, and points and bars in their places."""

import re

import pytest

from ehsod_tf.visualization.charts import (
    MAX_SERIES,
    Series,
    choose_ticks,
    draw_bar_chart,
    draw_histogram,
    draw_line_chart,
)


@pytest.mark.parametrize(
    "low, high, ticks",
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0, 2.6, [0, 1, 2]),
        (0, 0.005, [0, 0.002, 0.004]),
        (-3, 5, [-2, 0, 2, 4]),
        (7, 7, [7]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert choose_ticks(low, high, 5) == pytest.approx(ticks)


@pytest.mark.parametrize(
    "low, high, ticks",
    [(1, 12, [2, 4, 6, 8, 10, 12]), (1, 3, [1, 2, 3]), (1, 90, [20, 40, 60, 80])],
)
def test_whole_ticks(low, high, ticks):
    assert choose_ticks(low, high, 7, whole=True) == ticks


def _read_points(chart):
    lines = re.findall(r'<polyline class="line s\d" points="([^"]*)"', chart)
    return [
        [tuple(map(float, point.split(","))) for point in line.split()]
        for line in lines
    ]


def test_points_lie_on_a_straight_line_that_falls():
    chart = draw_line_chart("loss", [Series("loss", [1, 2, 4], [6, 5, 3])], "epoch")
    [[(x1, y1), (x2, y2), (x3, y3)]] = _read_points(chart)
    assert x3 - x2 == pytest.approx(2 * (x2 - x1), abs=0.2)
    assert y3 - y2 == pytest.approx(2 * (y2 - y1), abs=0.2)
    # SVG counts y downwards.
    assert x1 < x2 and y1 < y2


def test_lines_share_the_axes():
    series = [Series("a", [1, 2], [1, 4]), Series("b", [1, 2], [4, 8])]
    first, second = _read_points(draw_line_chart("both", series, "epoch"))
    assert first[1][1] == second[0][1] and first[0][0] == second[0][0]


def test_every_value_and_name_is_told():
    series = [Series("stage 1", [1, 2], [0.625, 0.5]), Series("stage 2", [2], [0.375])]
    chart = draw_line_chart("mid", series, "epoch")
    assert "<b>mid</b>" in chart
    for text in ("epoch 1: 0.625", "epoch 2: 0.5", "epoch 2: 0.375"):
        assert f"{text}</title>" in chart
    assert "stage 1 0.5<" in chart and "stage 2 0.375<" in chart


@pytest.mark.parametrize("value", [0.0, 3.5, -1.0])
def test_single_point_stays_inside(value):
    chart = draw_line_chart("x", [Series("x", [1], [value])], "epoch")
    [[(x, y)]] = _read_points(chart)
    assert 0 < x < 360 and 0 < y < 190


def test_names_are_escaped():
    chart = draw_line_chart('<a "b">', [Series("<c>", [1], [1])] * 2, "<x>")
    for raw in ("<a", "<c>", "<x>", '"b"'):
        assert raw not in chart


@pytest.mark.parametrize(
    "series", [[], [Series("x", [], [])], [Series("x", [1], [1])] * (MAX_SERIES + 1)]
)
def test_unusable_lines_are_refused(series):
    with pytest.raises(ValueError, match="needs 1 to"):
        draw_line_chart("title", series, "epoch")


def _read_bars(chart):
    """(x, width, height) of the bars."""
    pattern = (
        r'<rect class="column" x="([^"]*)" y="[^"]*" width="([^"]*)" height="([^"]*)"'
    )
    return [tuple(map(float, bar)) for bar in re.findall(pattern, chart)]


def _read_ticks(chart):
    """{text: x} of the ticks of the x axis."""
    pattern = r'<text class="tick" text-anchor="middle" x="([^"]*)" y="[^"]*">([^<]*)<'
    return {text: float(x) for x, text in re.findall(pattern, chart)}


def test_bars_are_as_high_as_their_counts():
    chart = draw_bar_chart("boxes", "by size", ["0", "1", "2-3"], [100, 0, 50])
    (x1, width, high), (x2, _, none), (x3, _, half) = _read_bars(chart)
    assert high == pytest.approx(2 * half, abs=0.2) and none == 0
    assert x3 - x2 == pytest.approx(x2 - x1) and x2 - x1 >= width
    ticks = _read_ticks(chart)
    assert ticks["2-3"] == pytest.approx(x3 + width / 2, abs=0.2)
    for text in ("0: 100", "1: 0", "2-3: 50"):
        assert f"{text}</title>" in chart


def test_small_count_is_not_lost_beside_a_large_one():
    chart = draw_bar_chart("boxes", "by size", ["a", "b", "c"], [1, 0, 10**6])
    assert _read_bars(chart)[0][2] >= 1 and _read_bars(chart)[1][2] == 0


@pytest.mark.parametrize("num_bars, has_numbers", [(5, True), (60, False)])
def test_counts_stand_above_bars_where_there_is_room(num_bars, has_numbers):
    names = [str(i) for i in range(num_bars)]
    chart = draw_bar_chart(
        "boxes", "by number", names, [1000 + i for i in range(num_bars)]
    )
    assert ('class="count"' in chart) == has_numbers
    assert len(_read_bars(chart)) == num_bars
    xs = list(_read_ticks(chart).values())
    # The names are two letters at most, of about 6 units each.
    assert all(b - a >= 15 for a, b in zip(xs[:-1], xs[1:], strict=True))


def test_histogram_has_ticks_at_powers_of_two():
    edges = [2.0 ** (k / 2) for k in range(-2, 5)]
    chart = draw_histogram("sizes", "pixels", edges, [1, 2, 3, 4, 5, 6])
    bars, ticks = _read_bars(chart), _read_ticks(chart)
    assert list(ticks) == ["1/2", "1", "2", "4"]
    for text, bar in (("1/2", 0), ("1", 2), ("2", 4)):
        assert ticks[text] == pytest.approx(bars[bar][0], abs=1.1)
    assert "0.707 to 1: 2</title>" in chart


def test_histogram_of_one_centred_bin():
    chart = draw_histogram("ratios", "", [2**-0.25, 2**0.25], [7])
    [(x, width, _)] = _read_bars(chart)
    assert _read_ticks(chart)["1"] == pytest.approx(x + width / 2, abs=0.2)


def test_bar_chart_escapes_its_texts():
    chart = draw_bar_chart('<a "b">', "<c>", ["<d>"], [1])
    for raw in ("<a", "<c>", "<d>", '"b"'):
        assert raw not in chart


def test_chart_without_bars_is_refused():
    with pytest.raises(ValueError, match="'sizes' has no bars"):
        draw_histogram("sizes", "", [1.0], [])
