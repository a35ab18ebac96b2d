"""The notebooks' form: sections, questions, cells, claims, terms, outputs; all guides' links."""

import ast
import re
from collections import Counter
from functools import cache
from itertools import pairwise, takewhile
from urllib.parse import unquote, urlparse

import pytest
from conftest import LESSONS, NOTEBOOKS, ROOT, SOLUTIONS, code_cells, tags
from conftest import read as read_notebook

from tools.site.build import first_comment, is_hidden
from tools.site.text import is_term, slug

GUIDES = sorted(path for folder in (".", "binder", "docs") for path in ROOT.glob(f"{folder}/*.md"))
# A question and, to be opened, its answer; the blank lines make Markdown of what is inside.
FOLDED = re.compile(r"^<details>\n<summary>(.+)</summary>\n\n((?:.|\n)+?)\n\n</details>$", re.M)
read = cache(read_notebook)


def cells_of(path, tag: str = "") -> list:
    return [cell for cell in code_cells(read(path)) if not tag or tag in tags(cell)]


def outputs_of(path) -> list:
    return [output for cell in cells_of(path) for output in cell.outputs]


def code(path) -> str:
    return "\n".join(cell.source for cell in cells_of(path))


def markdown(path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def headings(path) -> list[tuple[int, str]]:
    found = re.findall(r"(?m)^(#{1,6}) (.+)$", markdown(path))
    return [(len(marks), text.strip()) for marks, text in found]


def anchors(path) -> list[str]:
    """The link targets of headings: as JupyterLab makes them, or a code host of Markdown."""
    titles = [title for _, title in headings(path)]
    if path.suffix == ".md":
        titles = [re.sub(r"[^\w -]", "", title.lower()) for title in titles]
    return [title.replace(" ", "-") for title in titles]


def sections(path) -> dict[str, str]:
    """The text under each heading of the second level, in their order."""
    parts = re.split(r"(?m)^## (.+)\n", markdown(path))
    return dict(zip(map(str.strip, parts[1::2]), parts[2::2], strict=True))


def terms(path) -> list[str]:
    return [bold for bold in re.findall(r"\*\*([^*]+)\*\*", markdown(path)) if is_term(bold)]


def after_each_guess(path) -> list[tuple[list, str]]:
    """For each text that asks for a guess, the code after it and the text after that."""
    found, cells = [], read(path).cells
    for number, cell in enumerate(cells, start=1):
        if "**Guess first:**" in cell.source:
            code = list(takewhile(lambda cell: cell.cell_type == "code", cells[number:]))
            found.append((code, "".join(c.source for c in cells[number + len(code) :][:1])))
    return found


class TestSeries:
    def test_no_notebook_was_forgotten(self):
        assert len(LESSONS) >= 7 and not list(ROOT.glob("*.ipynb"))
        assert [p.stem for p in SOLUTIONS] == sorted(f"{p.stem}_solutions" for p in LESSONS)

    def test_neighbours_are_linked_at_top_and_bottom(self):
        for before, after in pairwise(NOTEBOOKS):
            assert markdown(before).count(f"]({after.name})") >= 2, before
            assert markdown(after).count(f"]({before.name})") >= 2, after

    def test_bold_terms_are_explained_once_and_in_no_solution(self):
        explained = Counter(slug(term) for path in LESSONS for term in terms(path))
        assert [term for term, count in explained.items() if count > 1] == []
        assert [term for path in SOLUTIONS for term in terms(path)] == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
class TestLesson:
    def test_it_opens_with_what_a_reader_needs_to_know(self, path):
        recall = "Recall what you know" if path == NOTEBOOKS[0] else "Recall what came before"
        opening = ["What you'll do", "What you'll learn", "What you'll need", recall]
        assert list(sections(path))[:4] == opening
        needed = " ".join(sections(path)["What you'll need"].split())
        assert f"runs in {read(path).metadata.mnist_tutorial['time']} on two cores" in needed
        assert re.search(r"[Rr]eading (?:it )?takes? about (an hour|\d+ minutes)", needed)
        assert any("preflight(data)" in cell.source for cell in cells_of(path)[:2])

    def test_it_closes_with_recap_check_exercises_and_reading(self, path):
        closing = ["Recap", "Check what you understood", "Exercises", "Further reading"]
        assert list(sections(path))[-4:] == closing
        assert "Why your numbers may differ" in sections(path)

    def test_three_folded_questions_recall_what_came_before(self, path):
        recall = next(text for name, text in sections(path).items() if name.startswith("Recall"))
        questions = "\n".join(question for question, _ in FOLDED.findall(recall))
        assert re.findall(r"(?m)^(\d)\. .*\?", questions) == ["1", "2", "3"]

    def test_multiple_choice_has_options_and_one_folded_answer_that_names_one(self, path):
        check = sections(path)["Check what you understood"]
        questions = re.split(r"(?m)^\*Question \d+\.\*", check)[1:]
        assert 3 <= len(questions) <= 5
        for question in questions:
            letters = "".join(re.findall(r"(?m)^- (\w)\) ", question))
            assert len(letters) >= 3 and "abcdefgh".startswith(letters), question
            ((summary, answer),) = FOLDED.findall(question)
            assert summary == "Answer"
            assert re.match(r"\W*(\w)\b", answer).group(1) in letters, question

    def test_every_exercise_links_to_its_solution(self, path):
        exercises = re.findall(r"(?m)^\d+\. .+$", sections(path)["Exercises"])
        assert 3 <= len(exercises) <= 5
        for number, exercise in enumerate(exercises, start=1):
            assert re.search(rf"solutions/{path.stem}_solutions\.ipynb#{number}\.", exercise)

    def test_every_parameter_is_checked_in_the_next_cell_which_is_folded(self, path):
        cells = cells_of(path)
        number = next(i for i, cell in enumerate(cells) if "parameters" in tags(cell))
        check = cells[number + 1]
        assert is_hidden(check, "source") and "plumbing" in tags(check)
        assert "check_parameter" in check.source
        for node in ast.parse(cells[number].source).body:
            assert re.search(rf"\b{node.targets[0].id}\b", check.source), node.targets[0].id

    def test_it_names_the_networks_that_it_keeps_and_uses(self, path):
        metadata = read(path).metadata.mnist_tutorial
        kept = re.findall(r'save_run\(\s*"(\w+)"', code(path))
        used = re.findall(r'load_(?:or_train|run)\(\s*"(\w+)"', code(path))
        assert (metadata.get("keeps", []), metadata.get("uses", [])) == (kept, used)

    def test_it_was_run_on_mnist(self, path):
        assert "Data: MNIST, 60,000 training and 10,000 test images" in str(outputs_of(path))


@pytest.mark.parametrize("path", LESSONS + SOLUTIONS + GUIDES, ids=lambda path: path.stem)
def test_links_lead_to_files_and_headings_or_to_a_host(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", markdown(path)):
        address = urlparse(link)
        if address.scheme:
            assert address.scheme in ("http", "https") and "." in address.netloc, link
            continue
        target = (path.parent / unquote(address.path)) if address.path else path
        assert target.exists(), link
        assert not address.fragment or unquote(address.fragment) in anchors(target), link


@pytest.mark.parametrize("path", LESSONS + SOLUTIONS, ids=lambda path: path.stem)
class TestNotebook:
    def test_one_title_then_headings_of_which_no_level_and_no_text_is_wrong(self, path):
        levels, texts = zip(*headings(path), strict=True)
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert len(texts) == len(set(texts))

    def test_a_guess_is_answered_by_a_folded_output_and_then_by_folded_sentences(self, path):
        assert len(after_each_guess(path)) >= (0 if path in SOLUTIONS else 2)
        for code, text in after_each_guess(path):
            *preparation, answer = code
            assert is_hidden(answer, "outputs"), answer.source
            assert not any(cell.outputs for cell in preparation), answer.source
            assert FOLDED.match(text), text

    def test_the_line_that_stands_for_a_folded_output_gives_nothing_away(self, path):
        # JupyterLab shows the first line of a folded output.
        for cell in cells_of(path):
            if is_hidden(cell, "outputs"):
                first = cell.outputs[0]
                assert first.output_type == "stream", cell.source
                assert first.text.splitlines()[0].endswith(":"), cell.source

    def test_no_code_cell_is_long_and_folded_code_starts_with_what_it_is(self, path):
        for cell in cells_of(path):
            assert len(cell.source.splitlines()) <= 12, cell.source
            assert first_comment(cell) or not is_hidden(cell, "source"), cell.source

    def test_what_it_asserts_is_folded_under_its_words_and_has_code_that_falsifies_it(self, path):
        asserting = [c for c in cells_of(path) if re.search(r"(?m)^\s*assert ", c.source)]
        assert len(asserting) >= 3 and asserting == cells_of(path, "claim")
        for cell in asserting:
            assert is_hidden(cell, "source"), cell.source
            assert len(first_comment(cell).split()) >= 3, cell.source
            assert ast.parse(cell.metadata.get("falsify", "")).body, cell.source

    def test_it_was_run_from_top_to_bottom_without_errors(self, path):
        cells = [cell for cell in cells_of(path) if cell.source.strip()]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        for output in outputs_of(path):
            assert output.output_type != "error" and output.get("name") != "stderr", output

    def test_every_figure_has_alt_text(self, path):
        for output in outputs_of(path):
            if "image/png" in output.get("data", {}):
                alt = output.metadata["image/png"]["alt"]
                assert len(alt) > 20 and output.data["text/plain"] == alt

    def test_its_outputs_are_not_large_and_name_no_folder_of_the_authors_machine(self, path):
        assert path.stat().st_size < 1_500_000
        for output in outputs_of(path):
            assert len(str(output)) < 300_000
            text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(rf"(/home/|/root/|/tmp/|/Users/|{re.escape(str(ROOT))})", text)
