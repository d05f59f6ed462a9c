"""Looks at every page of the built site in headless Chromium.

    mkdocs build && python docs/tools/look.py site --screenshots shots

At the widths of a phone and of a desktop, light and dark. Exit status 1 where a page
has an error in its console, asks for anything that is not on the site, or is wider than
the window. Needs `pip install playwright` and a Chromium (`--chromium`).
"""

import argparse
import functools
import http.server
import pathlib
import sys
import threading

from playwright.sync_api import sync_playwright

WIDTHS = {"phone": (390, 844), "desktop": (1280, 900)}
SCHEMES = ("light", "dark")
# The theme fades its tabs in.
_SETTLE_MS = 500


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=pathlib.Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--screenshots", type=pathlib.Path, help="a folder to fill")
    parser.add_argument("--only", help="pages whose address contains this")
    arguments = parser.parse_args()
    pages = [
        path.relative_to(arguments.site).as_posix()
        for path in sorted(arguments.site.rglob("*.html"))
    ]
    if arguments.only:
        pages = [page for page in pages if arguments.only in page]
    faults = []
    with _serve(arguments.site) as server, sync_playwright() as playwright:
        root = f"http://127.0.0.1:{server.server_port}/"
        browser = playwright.chromium.launch(
            executable_path=arguments.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for device, (width, height) in WIDTHS.items():
            for scheme in SCHEMES:
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme
                )
                for page in pages:
                    name = f"{device} {scheme} /{page}"
                    shot = None
                    if arguments.screenshots:
                        shot = arguments.screenshots / (
                            f"{page.removesuffix('.html').replace('/', '_')}"
                            f"_{device}_{scheme}.png"
                        )
                    faults += [
                        f"{name}: {fault}" for fault in _look(context, root, page, shot)
                    ]
                context.close()
        browser.close()
    print("\n".join(faults))
    print(
        f"{len(pages)} pages in {len(WIDTHS) * len(SCHEMES)} ways: {len(faults)} faults"
    )
    sys.exit(bool(faults))


def _look(context, root, address, shot):
    """The faults of one page."""
    faults = []
    page = context.new_page()
    page.on(
        "console",
        lambda message: (
            faults.append(f"console: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((root, "data:", "blob:"))
            else faults.append(f"asks for {request.url}")
        ),
    )
    page.on(
        "response",
        lambda response: (
            faults.append(f"{response.status} of {response.url}")
            if response.status >= 400
            else None
        ),
    )
    page.goto(root + address, wait_until="load")
    page.wait_for_timeout(_SETTLE_MS)
    excess = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if excess > 0:
        faults.append(f"{excess} pixels too wide")
    if shot:
        shot.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=shot, full_page=True)
    page.close()
    return faults


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class _serve:
    """A server of the folder on this machine, while the block runs."""

    def __init__(self, folder):
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self._server

    def __exit__(self, *_):
        self._server.shutdown()


if __name__ == "__main__":
    main()
