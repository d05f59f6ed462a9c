"""What every page must be: whole, of one file, and closed to what is not ours."""

import base64
import hashlib
import re
from html.parser import HTMLParser


class PageParser(HTMLParser):
    """Collects tags, attributes and texts; checks that every tag is closed.

    The only script is ours, the page's policy names it, and nothing comes from outside.
    """

    VOID = {"meta", "img", "input"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open
        assert not {"link", "iframe", "object", "base", "form"} & set(self.tags)
        self._check_references()
        self._check_script(text)
        [style] = re.findall("<style>(.*?)</style>", text, re.DOTALL)
        assert "url(" not in style and "@import" not in style

    def _check_references(self):
        for _tag, name, value in self.attributes:
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action", "data"):
                assert value.startswith(("data:image/jpeg;base64,", "#"))

    def _check_script(self, text):
        scripts = re.findall("<script>(.*?)</script>", text, re.DOTALL)
        assert len(scripts) == self.tags.count("script") == text.count("<script")
        [policy] = [v for _, n, v in self.attributes if v and "default-src" in v]
        assert policy.startswith("default-src 'none'; img-src data:")
        hashes = re.findall("'sha256-([^']*)'", policy)
        assert hashes == [
            base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            for script in scripts
        ]

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())
