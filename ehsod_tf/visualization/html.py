"""Building blocks of the HTML pages: the frame, tables, tiles and galleries.

A page is one file without script and without any reference to another file or host.
Every text that these functions take is plain text, and they escape it; what they call
``html`` is markup from this package and is passed through.
"""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from PIL import Image

from ehsod_tf.visualization.style import STYLE


class Section(NamedTuple):
    """A part of a page: its heading (text) and its content (html)."""

    heading: str
    html: str


class Bar(NamedTuple):
    """A table cell: a number in [0, full], shown as a bar as well; None is a dash."""

    value: int | float | None
    full: int | float = 1.0


class Cell(NamedTuple):
    """A cell of a heat map: text, shade in [0, 1], and a text under the mouse."""

    text: str
    shade: float
    hint: str


class Card(NamedTuple):
    """An image with what is said below it.

    Attributes:
        name: heading.
        image: [H, W, 3] uint8.
        chips: short texts, each with its colour as (red, green, blue).
        note: a line of text, or "".
    """

    name: str
    image: np.ndarray
    chips: Sequence[tuple[str, tuple[int, int, int]]]
    note: str


def render_page(title: str, sections: Sequence[Section]) -> str:
    """Renders a whole page as one HTML document."""
    body = "".join(
        f"<section><h2>{escape(s.heading)}</h2>{s.html}</section>" for s in sections
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )


def render_tiles(
    tiles: Sequence[tuple[str, float | None, str]], *, size: str = "large"
) -> str:
    """Renders figures as tiles.

    Args:
        tiles: for each its name, its number or None, and an explanation.
        size: "large" or "small".
    """
    html = "".join(
        f'<div class="tile"><b>{escape(name)}</b>'
        f"<strong>{format_number(value)}</strong><span>{escape(note)}</span></div>"
        for name, value, note in tiles
    )
    return f'<div class="tiles {size}">{html}</div>'


def render_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str | int | float | Bar | None]],
    *,
    tall: bool = False,
) -> str:
    """Renders a table of texts, numbers and bars.

    Args:
        header: the names of the columns.
        rows: the cells.
        tall: the table scrolls under its header instead of filling the page.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_render_cell, row))}</tr>" for row in rows)
    kind = "scroll tall" if tall else "scroll"
    return (
        f'<div class="{kind}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def render_heat_map(
    corner: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]]
) -> str:
    """Renders a table of shaded cells, the names of its columns upright.

    Args:
        corner: what the rows are.
        columns: names of the columns.
        rows: for each its name and a cell for each column.
    """
    head = "".join(f"<th><span>{escape(name)}</span></th>" for name in columns)
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(map(_render_shade, cells))}</tr>"
        for name, cells in rows
    )
    return (
        f'<div class="scroll"><table class="heat"><thead><tr><td>{escape(corner)}</td>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def render_list(texts: Sequence[str], *, kind: str = "notes") -> str:
    """Renders texts as a list.

    Args:
        texts: the entries.
        kind: "notes" or "warnings".
    """
    entries = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="{kind}">{entries}</ul>'


def render_cards(cards: Sequence[Card]) -> str:
    """Renders images side by side, as many as there is room for."""
    return f'<div class="cards">{"".join(map(_render_card, cards))}</div>'


def render_gallery(rows: Sequence[tuple[str, Sequence[tuple[str, np.ndarray]]]]) -> str:
    """Renders rows of images that belong together.

    Args:
        rows: for each row its name and its images, each with a caption, as
            [H, W, 3] uint8.
    """
    cards = []
    for name, images in rows:
        title = f"<h3>{escape(name)}</h3>" if name else ""
        figures = "".join(_render_image(name, *image) for image in images)
        cards.append(
            f'<div class="card">{title}<div class="pair">{figures}</div></div>'
        )
    return f'<div class="gallery">{"".join(cards)}</div>'


def render_paragraph(text: str) -> str:
    """Renders a line or two of text."""
    return f"<p>{escape(text)}</p>"


def render_text(text: str) -> str:
    """Renders text as it is, its columns lined up."""
    return f'<pre class="scroll">{escape(text)}</pre>'


def render_details(summary: str, html: str) -> str:
    """Renders content that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{html}</details>"


def embed_image(image: np.ndarray) -> str:
    """Encodes an image [H, W, 3] uint8 as a JPEG data URI."""
    buffer = io.BytesIO()
    # Without chroma subsampling, which would smear thin coloured lines.
    Image.fromarray(image).save(buffer, "JPEG", quality=88, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def format_number(value: int | float | None) -> str:
    """Formats a whole number by thousands, others to 4 decimals, and None as a dash."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _render_image(name, caption, image):
    height, width = image.shape[:2]
    text = escape(f"{caption}: {name}", quote=True)
    return (
        f'<figure><img src="{embed_image(image)}" width="{width}" height="{height}" '
        f'alt="{text}" loading="lazy"><figcaption>{escape(caption)}</figcaption>'
        "</figure>"
    )


def _render_cell(cell):
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    if not isinstance(cell, Bar):
        return f'<td class="number">{format_number(cell)}</td>'
    width = 100 * min(max((cell.value or 0.0) / (cell.full or 1.0), 0.0), 1.0)
    return (
        f'<td class="number bar"><span>{format_number(cell.value)}</span>'
        f'<i class="track"><i style="width:{width:.1f}%"></i></i></td>'
    )


def _render_shade(cell):
    hint = escape(cell.hint, quote=True)
    return (
        f'<td style="--shade:{cell.shade:.2f}" title="{hint}">{escape(cell.text)}</td>'
    )


def _render_card(card):
    height, width = card.image.shape[:2]
    chips = "".join(
        f'<span class="chip"><i style="background:rgb({red},{green},{blue})"></i>'
        f"{escape(text)}</span>"
        for text, (red, green, blue) in card.chips
    )
    name = escape(card.name, quote=True)
    note = f"<p>{escape(card.note)}</p>" if card.note else ""
    return (
        f'<figure class="card"><img src="{embed_image(card.image)}" width="{width}" '
        f'height="{height}" alt="{name}" loading="lazy"><figcaption><h3>{name}</h3>'
        f'<div class="chips">{chips}</div>{note}</figcaption></figure>'
    )
