"""A graph in Mermaid's words as SVG, since Mermaid itself would come from elsewhere.

It knows `graph TD`, boxes of two lines, and arrows: what docs/packages.md has.
"""

import re
import statistics

from svg import PAPER, SHARED, Drawing

_BOX = re.compile(r'^\s*(\w+)\["(.*?)<br>(.*?)"\]', re.MULTILINE)
_ARROW = re.compile(r"^\s*(\w+) --> (\w+)", re.MULTILINE)
_WIDTH, _BOX_HEIGHT, _ROW, _GAP = 860, 46, 92, 8
_MAX_BOX_WIDTH = 130


def draw_graph(source: str) -> str:
    """The SVG of a graph without circles; arrows go down."""
    boxes = {name: lines for name, *lines in _BOX.findall(source)}
    arrows = _ARROW.findall(source)
    rows = _arrange(boxes, arrows)
    sheet = Drawing(_WIDTH, _ROW * len(rows) + 10, "Packages and their imports")
    places, widths = {}, {}
    for level, row in enumerate(rows):
        for index, name in enumerate(row):
            middle = _WIDTH * (index + 0.5) / len(row)
            places[name] = (middle, _ROW * level + 20)
            widths[name] = min(_MAX_BOX_WIDTH, _WIDTH / len(row) - _GAP)
    for start, end in arrows:
        (x, y), (to_x, to_y) = places[start], places[end]
        sheet.arrow((x, y + _BOX_HEIGHT), (to_x, to_y), color="#8a94a0")
    for name, (x, y) in places.items():
        left = x - widths[name] / 2
        sheet.rectangle(left, y, widths[name], _BOX_HEIGHT, fill=PAPER)
        sheet.box(left, y, widths[name], _BOX_HEIGHT, boxes[name], SHARED)
    return sheet.render()


def _arrange(boxes, arrows):
    """Rows of names: each above all that it points to, near the middle of these."""
    below = {name: [end for start, end in arrows if start == name] for name in boxes}
    above = {name: [start for start, end in arrows if end == name] for name in boxes}

    def measure(name):
        return 1 + max(map(measure, below[name]), default=-1)

    depths = {name: measure(name) for name in boxes}
    rows = [
        sorted(name for name in boxes if depths[name] == depth)
        for depth in range(max(depths.values()), -1, -1)
    ]
    for neighbours in (above, below) * 4:
        place = {
            name: (index + 0.5) / len(row)
            for row in rows
            for index, name in enumerate(row)
        }
        for row in rows:
            row.sort(
                key=lambda name: statistics.fmean(
                    [place[other] for other in neighbours[name]] or [place[name]]
                )
            )
    return rows
