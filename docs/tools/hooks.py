"""What the docs site has beyond the pages of `docs`, for MkDocs.

- Pages of the repository's root, such as the changelog, and the notebook.
- The reference pages of the API, a page a package, and the table of every setting, both
  made from the code as it is.
- Graphs in Mermaid's words as SVG.
- A part "More" of the menu for pages of `docs` that it does not name yet.
- A copy of each file of the repository that a page links to, since links must be right
  on a code host and on the site alike.
"""

import base64
import json
import pathlib
import posixpath
import re
import sys

from mkdocs.structure.files import File

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import graph  # noqa: E402
import reference  # noqa: E402
import settings  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
_ROOT_PAGES = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
_NOTEBOOK, _NOTEBOOK_PAGE = "notebooks/ehsod_tour.ipynb", "tour.md"
_LINK = re.compile(r"\]\(((?:\.\./)+)([^)#\s]+)((?:#[^)\s]*)?)\)")
_MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What takes the place of a page's text between a mark and the mark of its end: the
# text is for those who read the page on a code host.
_MARKS = {
    "every setting": settings.describe_settings,
    "every package": reference.list_packages,
}


def on_files(files, config):
    for name, source in _ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        text = re.sub(r"\]\(docs/", "](", text)
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, _NOTEBOOK_PAGE, content=_read_notebook()))
    for name, text in reference.make_package_pages().items():
        files.append(File.generated(config, name, content=text))
    for path in _find_linked_files(files):
        content = (ROOT / path).read_bytes()
        files.append(File.generated(config, _locate_copy(path), content=content))
    listed = set(_list_pages(config.nav))
    unlisted = [
        p.src_uri for p in files.documentation_pages() if p.src_uri not in listed
    ]
    if unlisted:
        config.nav.append({"More": unlisted})
    return files


def on_page_markdown(markdown, page, config, files):
    for mark, describe in _MARKS.items():
        head, found, rest = markdown.partition(f"<!-- {mark} -->")
        if found:
            markdown = head + describe() + rest.partition("<!-- end -->")[2]
    markdown = _MERMAID.sub(lambda match: _embed(match[1]), markdown)
    folder = posixpath.dirname(page.file.src_uri)

    def point_to_copy(match):
        path = _resolve(page.file.src_uri, match[1] + match[2])
        if path is None:
            return match[0]
        return f"]({posixpath.relpath(_locate_copy(path), folder or '.')}{match[3]})"

    return _LINK.sub(point_to_copy, markdown)


def _read_notebook():
    """The notebook's cells as a page."""
    notebook = json.loads((ROOT / _NOTEBOOK).read_text(encoding="utf-8"))
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        is_code = cell["cell_type"] == "code"
        parts.append(f"```python\n{source}\n```" if is_code else source)
    return "\n\n".join(parts) + "\n"


def _embed(mermaid):
    code = base64.b64encode(graph.draw_graph(mermaid).encode()).decode()
    return (
        f"![Packages and their imports](data:image/svg+xml;base64,{code}){{.drawing}}"
    )


def _list_pages(entry):
    """The pages that a part of the menu names."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in _list_pages(part)]


def _find_linked_files(files):
    """The files outside `docs` that pages link to, by their path in the repository."""
    found = set()
    for file in files.documentation_pages():
        if file.generated_by is None:
            for match in _LINK.finditer(file.content_string):
                path = _resolve(file.src_uri, match[1] + match[2])
                if path not in (None, _NOTEBOOK):
                    found.add(path)
    return sorted(found)


def _resolve(page, link):
    """The path in the repository, or None for a link within `docs`."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    is_outside = not path.startswith("docs/")
    return path if is_outside and (ROOT / path).is_file() else None


def _locate_copy(path):
    if path == _NOTEBOOK:
        return _NOTEBOOK_PAGE
    # As text, which a browser shows, where it would offer to save a .gin file.
    return f"files/{path}.txt"
