"""The pages of the docs as a code host shows them: links, marks, drawings."""

import re
import subprocess
import sys
import urllib.parse

import pytest
from tiny_run import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("**/*.md")),
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def strip_code(text):
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(    .*\n)+", "\n", text, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def list_anchors(path):
    """The anchors of headings, as code hosts make them."""
    text = re.sub(
        r"^ *```.*?^ *```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for link in LINK.findall(strip_code(path.read_text(encoding="utf-8"))):
        parts = urllib.parse.urlsplit(link)
        if parts.scheme:
            continue
        target = path.parent / urllib.parse.unquote(parts.path) if parts.path else path
        assert target.exists(), link
        if parts.fragment and target.suffix == ".md":
            assert parts.fragment in list_anchors(target), link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_has_no_mark_of_the_site_alone(path):
    text = path.read_text(encoding="utf-8")
    for mark in ("\n!!! ", "\n::: ", "\n??? ", "{: ", "{#"):
        assert mark not in text, mark.strip()


def test_the_drawings_are_those_of_the_script(tmp_path):
    script = ROOT / "docs" / "tools" / "draw.py"
    subprocess.run([sys.executable, str(script), "--output", str(tmp_path)], check=True)
    drawn = sorted(tmp_path.iterdir())
    assert len(drawn) == 4
    for path in drawn:
        committed = ROOT / "docs" / "images" / path.name
        assert path.read_text() == committed.read_text(), f"run {script}"
