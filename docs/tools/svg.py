"""A few shapes of SVG: boxes with text, arrows, grids, on a light sheet of paper."""

from html import escape

# Okabe and Ito's, which the colour-blind tell apart.
BOXES = "#0072B2"
LABELS = "#C75000"
SHARED = "#5b6470"
INK = "#1d2630"
PAPER = "#fbfbf9"


class Drawing:
    """A drawing of a fixed width, written top down.

    Args:
        width, height: in pixels, of the view box.
        title: what it shows, for those who cannot see it.
    """

    def __init__(self, width: int, height: int, title: str):
        self._size = width, height
        self._title = title
        self._parts = []

    def box(self, x, y, width, height, lines, color=SHARED, size=15):
        """A rounded box with centred lines of text, the first one bold."""
        self._parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" '
            f'fill="{color}" fill-opacity="0.1" stroke="{color}" stroke-width="2"/>'
        )
        lines = [lines] if isinstance(lines, str) else lines
        step = size * 1.35
        top = y + height / 2 - step * (len(lines) - 1) / 2 + size * 0.35
        for index, line in enumerate(lines):
            self.text(
                x + width / 2,
                top + index * step,
                line,
                size=size if index == 0 else size - 2,
                bold=index == 0,
            )

    def text(self, x, y, line, size=15, bold=False, color=INK, anchor="middle"):
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{color}" '
            f'text-anchor="{anchor}"{weight}>{escape(line)}</text>'
        )

    def arrow(self, *points, color=INK):
        """A line through the points, with a head at the last."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" '
            'stroke-width="1.8" marker-end="url(#head)"/>'
        )

    def rectangle(self, x, y, width, height, fill="none", stroke="none", dash="", w=2):
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="{w}"{dashed}/>'
        )

    def shape(self, code):
        """Any other element, as it is."""
        self._parts.append(code)

    def grid(self, x, y, cell, values, color):
        """A map of values in [0, 1], the higher the darker."""
        for row, line in enumerate(values):
            for column, value in enumerate(line):
                self._parts.append(
                    f'<rect x="{x + column * cell:g}" y="{y + row * cell:g}" '
                    f'width="{cell}" height="{cell}" fill="{color}" '
                    f'fill-opacity="{value:.2f}" stroke="{SHARED}" '
                    'stroke-width="0.5" stroke-opacity="0.5"/>'
                )

    def write(self, path):
        path.write_text(self.render(), encoding="utf-8")

    def render(self) -> str:
        width, height = self._size
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} '
                f'{height}" width="{width}" height="{height}" role="img" '
                'font-family="system-ui, -apple-system, Segoe UI, Roboto, '
                'Helvetica, Arial, sans-serif">',
                f"<title>{escape(self._title)}</title>",
                '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" '
                'markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
                f'<path d="M0 0 L10 5 L0 10 z" fill="{INK}"/></marker></defs>',
                f'<rect width="{width}" height="{height}" rx="10" fill="{PAPER}"/>',
                *self._parts,
                "</svg>\n",
            ]
        )
