"""Opens pages in headless Chromium as a phone and as a desk have them, light and dark.

    pip install playwright     # and Debian's chromium, or `playwright install`
    python benchmarks/house/look_at_pages.py runs/quickstart/report.html --output looks

Says what a reader would stumble over, with exit status 1: a message on the console, a
request that leaves the page, text wider than the screen, a page that is slow to open or
large. Writes a screenshot of each.
"""

import argparse
import pathlib
import shutil
import sys
import time

from playwright.sync_api import sync_playwright

SIZES = {"phone": (390, 844), "desk": (1280, 900)}
MOST_SECONDS, MOST_BYTES = 2.0, 15_000_000
# What sticks out at the right although nothing round it scrolls.
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (e) => e && (["auto", "scroll", "hidden"].includes(
    getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const out = [...document.body.querySelectorAll("*")].filter(
    (e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e.parentElement)
      && !(e.ownerSVGElement));
  return out.slice(0, 3).map((e) => e.outerHTML.slice(0, 80));
}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("looks"))
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    faults = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=arguments.chromium, args=["--no-sandbox"]
        )
        for path in arguments.pages:
            if path.stat().st_size > MOST_BYTES:
                faults.append(f"{path}: {path.stat().st_size:,} bytes")
            for name, size in SIZES.items():
                for scheme in ("light", "dark"):
                    stem = f"{path.parent.name}_{path.stem}_{name}_{scheme}"
                    picture = arguments.output / f"{stem}.png"
                    found = look(browser, path, size, scheme, picture)
                    faults += [f"{path}, {name}, {scheme}: {text}" for text in found]
        browser.close()
    print("\n".join(faults) or "nothing found")
    sys.exit(1 if faults else 0)


def look(browser, path, size, scheme, picture):
    """Opens a page, takes its picture, and lists what is wrong with it."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    )
    page, faults = context.new_page(), []
    page.on("console", lambda message: faults.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    address = path.absolute().as_uri()
    page.on(
        "request",
        lambda request: (
            request.url.split("#")[0] in (address,)
            or request.url.startswith("data:")
            or faults.append(f"request: {request.url}")
        ),
    )
    start = time.perf_counter()
    page.goto(address, wait_until="load")
    seconds = time.perf_counter() - start
    print(f"{picture.stem}: opened in {seconds:.2f} s")
    if seconds > MOST_SECONDS:
        faults.append(f"opened in {seconds:.2f} s")
    faults += [f"overflow: {html}" for html in page.evaluate(OVERFLOW)]
    page.screenshot(path=picture, full_page=True)
    context.close()
    return faults


if __name__ == "__main__":
    main()
