"""Charts for the pages, drawn by matplotlib as SVG; see `charts.svg`."""

from ehsod_tf.visualization.charts.bars import draw_bars, draw_histogram
from ehsod_tf.visualization.charts.lines import draw_lines, draw_stacks
from ehsod_tf.visualization.charts.named import draw_dots, draw_ranking, draw_scatter
from ehsod_tf.visualization.charts.parts import MAX_SERIES, Chart, Series

__all__ = [
    "MAX_SERIES",
    "Chart",
    "Series",
    "draw_bars",
    "draw_dots",
    "draw_histogram",
    "draw_lines",
    "draw_ranking",
    "draw_scatter",
    "draw_stacks",
]
