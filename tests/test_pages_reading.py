"""The pages in a browser, as a reader has them: on a phone and a laptop, light and dark."""

import re
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from pages import LAPTOP, PHONE, RULES, opened_pages, pages, too_wide, violations
from pages import write_small_notebooks as write_notebooks

from tools.site.build import build_site
from tools.site.export import export_networks


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A site of small notebooks that hold every kind of cell and output."""
    folder = tmp_path_factory.mktemp("small")
    write_notebooks(folder / "notebooks")
    build_site(folder / "notebooks", folder / "site", {"dataset": "MNIST"})
    return folder / "site"


@pytest.fixture(scope="module")
def tutorial(networks, tmp_path_factory) -> Path:
    """The site of the run, with its networks."""
    out = tmp_path_factory.mktemp("tutorial")
    export_networks(networks, out)
    build_site(ROOT / "build" / "notebooks", out, {})
    return out


# Each page is opened once on a phone and once on a laptop; the tests read off what was found.
VISITS = [
    *("small 320 light", "small 1280 dark"),
    *(pytest.param(f"tutorial {x}", marks=pytest.mark.slow) for x in ("320 light", "1280 dark")),
]


@pytest.fixture(scope="module", params=VISITS)
def visit(request, chromium) -> SimpleNamespace:
    """What a browser found in the pages of a site, by name, at one width in one theme."""
    which, width, theme = request.param.split()
    site = request.getfixturevalue(which)
    options = {"viewport": {"width": int(width), "height": 740}, "color_scheme": theme}
    found = SimpleNamespace(theme=theme, backgrounds={}, violations=[], wide=[])
    with contextmanager(opened_pages)(chromium) as open_page:
        for name in pages(site):
            if which == "tutorial" and name.startswith("solutions/"):
                continue  # made of the same cells
            page = open_page(site / name, **options)
            page.evaluate("[...document.querySelectorAll('details')].map((d) => d.open = true)")
            color = page.evaluate("getComputedStyle(document.body).backgroundColor")
            found.backgrounds[name] = [int(part) for part in re.findall(r"\d+", color)]
            found.violations += [f"{name}: {x}" for x in violations(page, RULES[theme])]
            found.wide += [name] * too_wide(page)
            page.close()
    return found


@pytest.mark.parametrize("what", ["violations", "wide"])
def test_no_page_violates_wcag_or_scrolls_sideways(visit, what):
    assert getattr(visit, what) == []


def test_theme_follows_the_preference_of_the_reader(visit):
    for name, color in visit.backgrounds.items():
        assert min(color) > 200 if visit.theme == "light" else max(color) < 60, name


open_page = pytest.fixture(opened_pages)


@pytest.fixture
def open_first(small, open_page):
    """Opens the first page of the small site."""
    return partial(open_page, small / "01_first.html")


def test_contents_stay_in_view_on_a_laptop_and_are_folded_on_a_phone(open_first):
    page = open_first(**LAPTOP)
    page.get_by_text("Executed on").scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 500
    assert 0 <= page.locator("nav.contents a").last.bounding_box()["y"] <= 700
    assert not page.locator("details.contents").is_visible()
    page = open_first(**PHONE)
    assert not page.locator("nav.contents").is_visible()
    page.locator("details.contents > summary").click()
    page.locator("details.contents a").last.click()
    assert page.url.endswith("#write-it-as-a-formula")


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_wide_table_scrolls_in_its_box_and_fades_where_it_goes_on(open_first, screen):
    page = open_first(**screen)
    table = page.locator(".html", has=page.locator("table"))
    assert "goes-on" in table.get_attribute("class")
    table.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    page.wait_for_function("box => !box.matches('.goes-on')", arg=table.element_handle())
    last = table.locator("td").last.bounding_box()
    assert last["x"] + last["width"] <= screen["viewport"]["width"]


def test_the_first_thing_the_keyboard_reaches_leads_past_the_navigation(open_first):
    page = open_first()
    page.keyboard.press("Tab")
    assert page.get_by_role("link", name="Skip to the text").is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_the_keyboard_copies_code_and_the_page_says_so(open_first):
    page = open_first(permissions=["clipboard-read", "clipboard-write"])
    code = page.locator(".highlight pre").first
    code.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Copied", exact=True).wait_for(state="attached")
    assert page.evaluate("navigator.clipboard.readText()") == code.inner_text().rstrip()


def test_without_scripts_answers_unfold_and_only_the_copy_buttons_are_missing(open_first):
    page = open_first(java_script_enabled=False)
    assert page.locator("button").count() == 0
    page.get_by_text("Show the answer").click()
    assert page.get_by_text("784", exact=True).is_visible()
    page.goto(page.url.replace("01_first", "index"))
    assert page.get_by_role("img", name="The pad in use").bounding_box()["width"] > 300
