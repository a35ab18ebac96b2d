"""The pages as they are written: what a notebook's cells, outputs and metadata become."""

from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest
from bs4 import BeautifulSoup
from conftest import LESSONS, ROOT, code_cells, read
from pages import ALT, elements, pages, write_small_notebooks

from tools.site.build import build_site

ABOUT = {
    "dataset": "MNIST",
    "machine": "A <fast> processor, 2 cores",
    "repository": "https://example.org/ada/mnist",
    "binder": "https://binder.example.org/v2/ada",
    "colab": {"01_first": "https://colab.example.org/01_first.ipynb"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_small_notebooks(folder)
    (folder / "site").mkdir()
    (folder / "site" / "03_old.html").write_text("of a notebook that is there no more")
    return folder


def fixture_of(name: str, about: dict, notebooks: Path | None = None):
    """A fixture: the pages, by name, of these notebooks or else of the small ones."""

    @pytest.fixture(scope="module", name=name)
    def built(folder) -> dict[str, str]:
        build_site(notebooks or folder, folder / name, about)
        return pages(folder / name)

    return built


site = fixture_of("site", ABOUT)
unknown = fixture_of("unknown", {})  # a run of which nothing is known
tutorial = fixture_of("tutorial", {}, ROOT / "notebooks")  # with their stored outputs


def test_each_notebook_has_a_page_and_what_is_no_notebook_of_the_tutorial_has_none(site, unknown):
    notebooks = ["01_first.html", "02_second.html", "extras/more.html"]
    others = ["glossary.html", "index.html", "solutions/01_first_solutions.html"]
    assert list(site) == list(unknown) == notebooks + others


def test_front_page_says_what_each_notebook_teaches_and_how_long_it_takes(site):
    first, second, extra = elements(site["index.html"], ".notebooks > li")
    assert (first.h3.a["href"], first.h3.text) == ("01_first.html", "1. Explore a little")
    assert 'Look at a "digit" & count.' in first.text and first.li.text == "to look"
    assert "About 5 minutes to read; runs in about 2 minutes" in first.text
    assert first.select(".more a")[0]["href"] == "solutions/01_first_solutions.html"
    assert "runs in" not in second.text  # which does not say how long
    assert (extra.h3.a["href"], extra.h3.text) == ("extras/more.html", "More")


def test_front_page_leads_to_binder_colab_and_the_repository_where_they_are_known(site, unknown):
    links = [link["href"] for link in elements(site["index.html"], "a[href^='https:']")]
    assert set(links) == {ABOUT["repository"], ABOUT["binder"], ABOUT["colab"]["01_first"]}
    assert elements(unknown["index.html"], "a[href^='https:']") == []
    assert "make links" in unknown["index.html"]


def test_page_says_when_with_which_data_and_on_which_machine_it_was_made(site, unknown):
    for name in ("01_first.html", "index.html"):
        line = elements(site[name], "footer p")[0].text
        assert "9 March 2026. Data: MNIST. Machine: A <fast> processor, 2 cores." in line
        assert "9 March 2026" in unknown[name] and "Machine:" not in unknown[name]
    assert "stored with the notebook" in elements(site["02_second.html"], "footer p")[0].text


NEIGHBOURS = {
    "01_first.html": ["next 02_second.html 2. Go on"],
    "02_second.html": ["prev 01_first.html 1. Explore a little", "next extras/more.html More"],
    "solutions/01_first_solutions.html": ["prev ../01_first.html 1. Explore a little"],
}


def test_pages_lead_to_the_one_before_and_the_one_after(site):
    for name, neighbours in NEIGHBOURS.items():
        links = elements(site[name], "footer .neighbours a")
        assert [f"{x['rel'][0]} {x['href']} {x.text}" for x in links] == neighbours
    # Those that the notebooks have for JupyterLab would say it once more.
    assert not any(word in page for page in site.values() for word in ("Next: ", "Back to the"))


def test_claims_plumbing_and_answers_are_folded(site):
    (claim,) = elements(site["01_first.html"], "details.claim")
    assert claim.summary.text == 'There are "ten" digits & no more'
    assert "assert digits == 10" in claim.pre.text
    (plumbing,) = elements(site["01_first.html"], "details:not(.claim, .answer, .contents)")
    assert plumbing.summary.text == "Code: Check the settings above"
    (answer,) = elements(site["01_first.html"], "details.answer")
    assert answer.pre.text.strip() == "784" and "28 * 28" in answer.find_previous_sibling().text
    assert elements(site["01_first.html"], "details[open]") == []


def test_figures_have_their_text_formulas_are_mathml_and_what_needs_a_kernel_is_text(site):
    html = site["01_first.html"]
    assert [image["alt"] for image in elements(html, "img")] == [ALT]
    assert html.count("<math") == 2 and "$" not in html and "lVert" not in html
    assert "A button." in html and "show_picture()" not in html


def test_the_learners_turn_is_a_question_with_its_line(site):
    (turn,) = elements(site["01_first.html"], ".turn")
    assert turn.p.text == "Your turn: twice a number"
    assert turn.pre.text.strip() == "def double(number): ..."


def test_glossary_lists_each_term_once_with_its_sentence_and_where_it_stands(site):
    terms = [term.text for term in elements(site["glossary.html"], "dt")]
    assert terms == ["brightness", "Ink", "pixels", "Shape"]
    brightness, _, pixels, _ = elements(site["glossary.html"], "dd")
    assert brightness.p.text.endswith("is a number from 0 to 255, such as 3.5 is not.")
    assert pixels.p.text == "An image is made of pixels."
    assert pixels.a["href"] == "01_first.html#term-pixels"


@pytest.mark.parametrize("which", ["site", "tutorial"])
def test_links_lead_to_every_page_and_nowhere_else(request, which):
    found, ids, links = request.getfixturevalue(which), [], set()
    for name, page in ((name, BeautifulSoup(html, "html.parser")) for name, html in found.items()):
        ids += [f"{name}#{element['id']}" for element in page.select("[id]")]
        own = page.select("a:not([href^='http'])")
        links |= {urljoin(name, unquote(link["href"])) for link in own}
    assert len(ids) == len(set(ids))
    assert links <= {*ids, *found}
    assert {link.partition("#")[0] for link in links} == set(found)


def test_front_page_of_the_tutorial_has_each_notebooks_marked_picture_and_weighs_little(tutorial):
    lessons = elements(tutorial["index.html"], ".notebooks > li")
    for path, lesson in zip(LESSONS, lessons, strict=True):
        (image,) = lesson.select("img")
        cells = code_cells(read(path))
        marked = [x for x in cells if x.metadata.get("mnist_tutorial", {}).get("cover")] or cells
        assert image["alt"] in str([cell.outputs for cell in marked])
    assert len(tutorial["index.html"]) <= 400_000
