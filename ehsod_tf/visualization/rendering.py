"""HTML pages from the templates of this folder, by Jinja2.

A page is one file that asks for no other: style, script and pictures are in it. Texts
are escaped by the engine, and the page itself forbids its browser to fetch or to run
anything else, so that a class called ``<script>`` is a name and no more.
"""

import base64
import functools
import hashlib
import io
import os
from typing import NamedTuple

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from ehsod_tf.files import open_new


class Bar(NamedTuple):
    """A table cell: a number in [0, full], shown as a bar as well; None is a dash."""

    value: int | float | None
    full: int | float = 1.0

    @property
    def percent(self) -> float:
        """Length of the bar."""
        return 100 * min(max((self.value or 0.0) / (self.full or 1.0), 0.0), 1.0)


class Shade(NamedTuple):
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
    chips: list[tuple[str, tuple[int, int, int]]]
    note: str


def write_page(path: str | os.PathLike, template: str, **context) -> None:
    """Renders a template into a file.

    Args:
        path: the file to write.
        template: a file of ``templates``.
        context: what it shows.
    """
    text = render(template, **context)
    # A file name that is not UTF-8 holds characters that no encoding can write.
    with open_new(path, errors="backslashreplace") as file:
        file.write(text)


def render(template: str, **context) -> str:
    """Renders a template."""
    return _make_environment().get_template(template).render(**context)


def format_number(value: int | float | None) -> str:
    """Formats a whole number by thousands, others to 4 decimals, and None as a dash."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def embed_image(image: np.ndarray, quality: int = 88) -> str:
    """Encodes an image [H, W, 3] uint8 as a JPEG data URI."""
    buffer = io.BytesIO()
    # Without chroma subsampling, which would smear thin coloured lines.
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


@functools.cache
def _make_environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ehsod_tf.visualization"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = format_number
    environment.filters["uri"] = embed_image
    environment.tests["bar"] = lambda value: isinstance(value, Bar)
    environment.globals["read"] = functools.partial(_read, environment)
    environment.globals["hash"] = _hash
    return environment


def _read(environment, name) -> Markup:
    """A style sheet or script of ours, as it is."""
    return Markup(environment.loader.get_source(environment, name)[0])


def _hash(text) -> str:
    """How a page names the one script that may run in it."""
    digest = hashlib.sha256(str(text).encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()
