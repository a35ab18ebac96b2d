"""Chromium for the tests, and the drawing pad on whatever page it stands."""

import shutil
import time

CHROMIUM_ARGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    return next((path for path in map(shutil.which, names) if path), None)


def wait_until(condition, seconds: float, what: str):
    """Call `condition` until it gives something true, and give that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.2)
    raise TimeoutError(f"no {what} within {seconds:.0f} s")


def drag(page, points: list[tuple[float, float]], pointer: str = "mouse") -> None:
    """Press, move from point to point, and let go, with a "mouse", a "pen" or a "finger"."""
    session = page.context.new_cdp_session(page)
    phases = ["Pressed", *["Moved"] * (len(points) - 1), "Released"]
    for phase, (x, y) in zip(phases, [*points, points[-1]], strict=True):
        if pointer == "finger":
            kind = {"Pressed": "touchStart", "Moved": "touchMove", "Released": "touchEnd"}[phase]
            touches = [] if phase == "Released" else [{"x": x, "y": y}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        else:
            event = {"type": f"mouse{phase}", "x": x, "y": y, "pointerType": pointer}
            event |= {"button": "left", "clickCount": 1, "buttons": int(phase != "Released")}
            session.send("Input.dispatchMouseEvent", event)
    session.detach()


class Pad:
    """The drawing pad on a page, used as a person does: by looking, pointer and keys."""

    def __init__(self, page):
        self.page = page
        self.root = page.locator(".mnist-pad")
        self.surface = page.locator(".mnist-pad-surface")
        self.answer = page.locator(".mnist-pad-answer")

    def draw(self, strokes: list, pointer: str = "mouse") -> None:
        """Draw strokes of points from 0 to 1 of the pad, and wait for the answer to each."""
        for stroke in strokes:
            before = self.strokes()
            # Goes there once the pad stands still: answers and themes move what is below them.
            self.surface.hover()
            left, top, side, _ = self.surface.bounding_box().values()
            drag(self.page, [(left + x * side, top + y * side) for x, y in stroke], pointer)
            self.wait_for_answer(before + 1)

    def wait_for_answer(self, strokes: int) -> None:
        self.page.wait_for_selector(f'.mnist-pad-answer[data-strokes="{strokes}"]')

    def strokes(self) -> int:
        return self.surface.locator("polyline").count()

    def press(self, button: str) -> None:
        self.root.get_by_role("button", name=button, exact=True).click()

    def clear(self) -> None:
        if self.strokes():
            self.press("Clear")
        self.wait_for_answer(0)

    def save(self, strokes: list, label: int) -> None:
        self.clear()
        self.draw(strokes)
        self.root.get_by_label("The digit that you drew").select_option(str(label))
        self.press("Save")

    def message(self) -> str:
        return self.root.locator(".mnist-pad-message").inner_text()

    def answers(self) -> dict[str, int]:
        """Which digit each network shows as its answer, by the network's name."""
        nodes = self.root.locator(".mnist-network").all()
        return {n.get_attribute("data-network"): int(n.get_attribute("data-digit")) for n in nodes}
