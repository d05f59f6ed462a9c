"""Line charts: ticks, and points in their places."""

import re

import pytest

from ehsod_tf.visualization.charts import (
    MAX_SERIES,
    Series,
    choose_ticks,
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
