"""Measure how fast the pad of the pages answers: from a stroke's end to the bars.

    .venv/bin/python tools/bench_pages.py

takes the site that `make run` has rendered, and slows Chromium down four times, about to a phone.
"""

import shutil
import statistics
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from mnist_helpers.drawings import EXAMPLE_DRAWINGS

SITE = Path(__file__).resolve().parent.parent / "build" / "site"
SLOWER = 4
# Milliseconds from the end of each stroke until its bars stand in the page, and until the frame
# with them has been drawn.
WATCH = """() => {
  const surface = document.querySelector('.mnist-pad-surface');
  window.times = [];
  let start;
  surface.addEventListener('pointerup', () => { start = performance.now(); }, { capture: true });
  new MutationObserver(() => {
    const inPage = performance.now() - start;
    requestAnimationFrame(() => setTimeout(() => {
      window.times.push([inPage, performance.now() - start]);
    }));
  }).observe(document.querySelector('.mnist-pad-answer'), { childList: true });
}"""


def draw(page: Page, strokes: list) -> list[list[float]]:
    """Draw with the mouse on an empty pad; what WATCH has measured of each stroke."""
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(300)
    page.evaluate("window.times = []")
    box = page.locator(".mnist-pad-surface").bounding_box()
    for number, stroke in enumerate(strokes, 1):
        for place, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if place == 0:
                page.mouse.down()
        page.mouse.up()
        page.wait_for_function(f"window.times.length === {number}")
    return page.evaluate("window.times")


def main() -> None:
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((SITE / "index.html").as_uri())
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.evaluate(WATCH)
        page.mouse.click(*[page.locator(".mnist-pad-surface").bounding_box()[k] + 9 for k in "xy"])
        times = [time for strokes in EXAMPLE_DRAWINGS.values() for time in draw(page, strokes)]
        browser.close()
    inside, seen = zip(*times, strict=True)
    print(f"{len(times)} strokes, the processor {SLOWER} times slower; milliseconds to the bars:")
    for what, values in {"in the page": inside, "on the screen": seen}.items():
        shortest, median, longest = min(values), statistics.median(values), max(values)
        print(f"{what:14} shortest {shortest:.0f}, median {median:.0f}, longest {longest:.0f}")


if __name__ == "__main__":
    main()
