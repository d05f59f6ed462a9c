"""The docs site: built with warnings as errors, nothing off it, every link sound.

MkDocs checks the links of the pages' Markdown. Here the built HTML is checked, menus
and made pages included.
"""

import os
import pathlib
import subprocess
import sys
import urllib.parse
from html.parser import HTMLParser

import pytest
from import_paths import importing_from

ROOT = pathlib.Path(__file__).parent.parent
TOOLS = ROOT / "docs" / "tools"
pytest.importorskip("material")
pytest.importorskip("mkdocstrings")


class Page(HTMLParser):
    """The anchors of a page, its links, and what a browser loads with it."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if attributes.get("id"):
            self.anchors.add(attributes["id"])
        if tag == "a" and attributes.get("href"):
            self.links.add(attributes["href"])
        if tag in ("script", "img", "iframe", "source") and attributes.get("src"):
            self.loads.add(attributes["src"])
        is_loaded = attributes.get("rel") in ("stylesheet", "icon", "preconnect")
        if tag == "link" and is_loaded:
            self.loads.add(attributes["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {
        path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")
    }


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for path, page in pages.items():
        for address in page.loads:
            assert not urllib.parse.urlsplit(address).netloc, f"{path}: {address}"
    for path in site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert "url(http" not in text and "@import" not in text, path


def test_every_link_has_a_target(site, pages):
    checked = 0
    for path, page in pages.items():
        # Its links are from the root of a server.
        if path.name == "404.html":
            continue
        for link in page.links | page.loads:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            place = path
            if parts.path:
                place = (path.parent / urllib.parse.unquote(parts.path)).resolve()
            assert place.is_file(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and place in pages:
                anchors = pages[place].anchors
                assert urllib.parse.unquote(parts.fragment) in anchors, (path, link)
            checked += 1
    assert checked > 1000


def test_every_public_name_has_its_entry(site, pages):
    from ehsod_tf import data, modeling

    for module in (data, modeling):
        name = module.__name__.rpartition(".")[2]
        page = pages[site / "api" / f"{name}.html"]
        functions = {n for n in module.__all__ if callable(getattr(module, n))}
        missing = {n for n in functions if f"{module.__name__}.{n}" not in page.anchors}
        # A type alias is callable too, and has no docstring.
        assert not missing


def test_every_setting_is_listed_with_its_meaning():
    with importing_from(TOOLS):
        import settings

    targets = settings.list_configurables()
    assert {"Experiment", "build_model", "read_coco", "Cascade"} <= set(targets)
    text = settings.describe_settings()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == sum(
        len(settings.list_settings(name, target)) for name, target in targets.items()
    )
    assert (
        "| `Experiment.epochs` | of `steps_per_epoch` steps. | `12` | `int` |" in rows
    )
    assert not any(row.startswith("| `CoupledSGD.learning_rate`") for row in rows)
    assert [row for row in rows if row.split(" | ")[1].strip() == ""] == []
