"""The notebooks' form: sections, questions, links, cells, claims, terms, stored outputs."""

import ast
import re
from collections import Counter
from itertools import pairwise, takewhile
from urllib.parse import unquote, urlparse

import pytest
from build_site import first_comment, is_hidden, is_term, minutes_to_read, slug
from conftest import NOTEBOOKS, ROOT, SOLUTIONS, code_cells, read, tags

ALL = pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda path: path.stem)
SERIES = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# A question and, to be opened, its answer; the blank lines make Markdown of what is inside.
FOLDED = re.compile(r"^<details>\n<summary>(.+)</summary>\n\n((?:.|\n)+?)\n\n</details>$", re.M)


def markdown(path) -> str:
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def headings(path) -> list[tuple[int, str]]:
    found = re.findall(r"(?m)^(#{1,6}) (.+)$", markdown(path))
    return [(len(marks), text.strip()) for marks, text in found]


def sections(path) -> dict[str, str]:
    """The text under each heading of the second level, in their order."""
    parts = re.split(r"(?m)^## (.+)\n", markdown(path))
    return dict(zip(map(str.strip, parts[1::2]), parts[2::2], strict=True))


def anchors(path) -> set[str]:
    """Headings as JupyterLab and nbconvert make link targets of them."""
    return {text.replace(" ", "-") for _, text in headings(path)}


def links(path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", markdown(path))


class TestSections:
    @ALL
    def test_there_is_one_title(self, path):
        assert [level for level, _ in headings(path)].count(1) == 1
        assert headings(path)[0][0] == 1

    @ALL
    def test_no_heading_level_is_skipped(self, path):
        levels = [level for level, _ in headings(path)]
        assert all(after <= before + 1 for before, after in pairwise(levels))

    @ALL
    def test_no_heading_appears_twice(self, path):
        texts = [text for _, text in headings(path)]
        assert len(texts) == len(set(texts))

    @SERIES
    def test_it_opens_with_what_a_reader_needs_to_know(self, path):
        recall = "Recall what you know" if path == NOTEBOOKS[0] else "Recall what came before"
        opening = ["What you'll do", "What you'll learn", "What you'll need", recall]
        assert list(sections(path))[:4] == opening
        assert re.search(r"\bminutes?\b", sections(path)["What you'll need"])

    @SERIES
    def test_it_closes_with_recap_check_exercises_and_reading(self, path):
        closing = ["Recap", "Check what you understood", "Exercises", "Further reading"]
        assert list(sections(path))[-4:] == closing
        assert "Why your numbers may differ" in sections(path)

    @SERIES
    def test_it_checks_the_machine_first(self, path):
        assert any("preflight(data)" in cell.source for cell in code_cells(read(path))[:2])


class TestQuestions:
    @SERIES
    def test_three_questions_recall_what_came_before(self, path):
        recall = next(text for name, text in sections(path).items() if name.startswith("Recall"))
        questions = [question for question, _ in FOLDED.findall(recall)]
        assert [question[:3] for question in questions] == ["1. ", "2. ", "3. "]
        assert all("?" in question for question in questions)

    @SERIES
    def test_three_to_five_questions_check_what_was_understood(self, path):
        assert 3 <= len(multiple_choice(path)) <= 5

    @SERIES
    def test_each_of_them_has_three_options_or_more(self, path):
        for question in multiple_choice(path):
            letters = "".join(re.findall(r"(?m)^- (\w)\) ", question))
            assert len(letters) >= 3 and "abcdefgh".startswith(letters), question

    @SERIES
    def test_each_of_them_has_one_folded_answer_that_names_an_option(self, path):
        for question in multiple_choice(path):
            ((summary, answer),) = FOLDED.findall(question)
            assert summary == "Answer"
            letter = re.match(r"\W*(\w)\b", answer).group(1)
            assert f"\n- {letter}) " in question, question


def multiple_choice(path) -> list[str]:
    """The questions at the end, each with its options and its answer."""
    return re.split(r"(?m)^\*Question \d+\.\*", sections(path)["Check what you understood"])[1:]


class TestGuesses:
    @SERIES
    def test_it_asks_before_it_answers(self, path):
        assert markdown(path).count("**Guess first:**") >= 2

    @ALL
    def test_the_line_that_stands_for_its_folded_answer_gives_nothing_away(self, path):
        # JupyterLab shows the first line of a folded output.
        for cell in code_cells(read(path)):
            if is_hidden(cell, "outputs"):
                first = cell.outputs[0]
                assert first.output_type == "stream", cell.source
                assert first.text.splitlines()[0].endswith(":"), cell.source

    @ALL
    def test_its_answer_is_folded_and_no_output_before_gives_it_away(self, path):
        for code, _ in after_each_guess(path):
            *preparation, answer = code
            assert is_hidden(answer, "outputs"), answer.source
            assert not any(cell.outputs for cell in preparation), answer.source

    @ALL
    def test_the_text_right_after_it_answers_the_guess(self, path):
        for _, text in after_each_guess(path):
            assert text and not text.startswith("#"), text


def after_each_guess(path) -> list[tuple[list, str]]:
    """For each text that asks for a guess, the code after it and the text after that."""
    found, cells = [], read(path).cells
    for place, cell in enumerate(cells, start=1):
        if "**Guess first:**" in cell.source:
            code = list(takewhile(lambda cell: cell.cell_type == "code", cells[place:]))
            found.append((code, "".join(c.source for c in cells[place + len(code) :][:1])))
    return found


class TestLinks:
    @ALL
    def test_links_inside_the_tutorial_lead_somewhere(self, path):
        for link in links(path):
            if urlparse(link).scheme:
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / unquote(name)) if name else path
            assert target.is_file(), link
            if anchor:
                assert unquote(anchor) in anchors(target), link

    @ALL
    def test_links_to_the_outside_are_well_formed(self, path):
        for link in links(path):
            address = urlparse(link)
            if address.scheme:
                assert address.scheme in ("http", "https") and "." in address.netloc, link

    @SERIES
    def test_neighbours_are_linked_at_top_and_bottom(self, path):
        text = markdown(path)
        place = NOTEBOOKS.index(path)
        for neighbour in NOTEBOOKS[max(place - 1, 0) : place] + NOTEBOOKS[place + 1 : place + 2]:
            assert text.count(f"]({neighbour.name})") >= 2

    @SERIES
    def test_every_exercise_links_to_its_solution(self, path):
        exercises = re.findall(r"(?m)^\d+\. .+$", sections(path)["Exercises"])
        assert 3 <= len(exercises) <= 5
        for number, exercise in enumerate(exercises, start=1):
            assert re.search(rf"\(solutions/{path.stem}_solutions\.ipynb#{number}\.", exercise)

    def test_every_notebook_has_its_solutions(self):
        assert [p.stem for p in SOLUTIONS] == [f"{p.stem}_solutions" for p in NOTEBOOKS]


class TestCells:
    @ALL
    def test_no_code_cell_is_long(self, path):
        for cell in code_cells(read(path)):
            assert len(cell.source.splitlines()) <= 12, cell.source

    @ALL
    def test_there_are_twelve_words_of_text_for_each_line_of_code(self, path):
        assert len(words(path)) >= 12 * len(lines_outside_claims(path))

    @ALL
    def test_folded_code_starts_with_a_comment_that_says_what_it_is(self, path):
        for cell in code_cells(read(path)):
            assert first_comment(cell) or not is_hidden(cell, "source"), cell.source

    @SERIES
    def test_the_check_of_the_parameters_is_folded_as_plumbing(self, path):
        (check,) = [c for c in code_cells(read(path)) if "\ncheck_parameters(" in c.source]
        assert is_hidden(check, "source") and "plumbing" in tags(check)
        assert first_comment(check) == "Check the settings above"

    @SERIES
    def test_every_parameter_is_checked_in_the_next_cell(self, path):
        cells = code_cells(read(path))
        place = next(i for i, cell in enumerate(cells) if "parameters" in tags(cell))
        names = [node.targets[0].id for node in ast.parse(cells[place].source).body]
        (call,) = re.findall(
            r"check_parameters\(.*?\)\n", cells[place + 1].source + "\n", re.DOTALL
        )
        assert re.findall(r"(\w+)=\(", call) == names

    @ALL
    def test_the_helpers_are_imported_in_one_way(self, path):
        for cell in code_cells(read(path)):
            assert not re.search(r"from mnist_helpers\.|import mnist_helpers", cell.source)

    @ALL
    def test_no_code_of_the_helpers_is_printed(self, path):
        assert "getsource" not in code(path)

    @pytest.mark.parametrize("number", [2, 3, 5])
    def test_the_network_stands_in_a_cell_to_be_changed(self, number):
        assert "keras.Sequential(" in code(NOTEBOOKS[number - 1])

    @ALL
    def test_keras_is_not_asked_to_split_the_images(self, path):
        assert "validation_split" not in code(path)


def code(path) -> str:
    return "\n".join(cell.source for cell in code_cells(read(path)))


def words(path) -> list[str]:
    without_addresses = re.sub(r"\]\([^)]*\)", "]", markdown(path))
    return re.findall(r"[A-Za-zÀ-ÿ0-9][\w'’.,%-]*", without_addresses)


def lines_outside_claims(path) -> list[str]:
    cells = [cell for cell in code_cells(read(path)) if "claim" not in tags(cell)]
    return [line for cell in cells for line in cell.source.splitlines() if line.strip()]


class TestTerms:
    """Bold are the words of the field, where they are explained."""

    def test_no_term_is_explained_twice(self):
        explained = Counter(slug(term) for path in NOTEBOOKS for term in terms(path))
        assert [term for term, count in explained.items() if count > 1] == []

    @pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
    def test_solutions_explain_none(self, path):
        assert terms(path) == []


def terms(path) -> list[str]:
    return [bold for bold in re.findall(r"\*\*([^*]+)\*\*", markdown(path)) if is_term(bold)]


class TestMetadata:
    """What the tools read: how long it runs, and which trained networks it keeps and uses."""

    @SERIES
    def test_it_tells_its_time_as_the_text_does(self, path):
        time = read(path).metadata.mnist_tutorial["time"]
        needed = " ".join(sections(path)["What you'll need"].split())
        assert f"runs in {time} on two cores" in needed

    @SERIES
    def test_its_text_says_about_how_long_reading_takes(self, path):
        needed = " ".join(sections(path)["What you'll need"].split())
        told = re.search(r"[Rr]eading (?:it )?takes? about (an hour|\d+ minutes)", needed)[1]
        minutes = 60 if told == "an hour" else int(told.split()[0])
        assert abs(minutes - minutes_to_read(read(path))) <= 10

    @SERIES
    def test_one_figure_at_most_is_marked_to_stand_for_it(self, path):
        cells = code_cells(read(path))
        covers = [cell for cell in cells if "cover" in cell.metadata.get("mnist_tutorial", {})]
        assert len(covers) <= 1
        assert all("image/png" in str(cell.outputs) for cell in covers)

    @SERIES
    def test_it_tells_the_networks_that_it_keeps_and_uses(self, path):
        told = read(path).metadata.mnist_tutorial
        assert told.get("keeps", []) == re.findall(r'save_run\("(\w+)"', code(path))
        assert told.get("uses", []) == re.findall(r'load_(?:or_train|run)\(\s*"(\w+)"', code(path))


class TestClaims:
    @ALL
    def test_it_asserts_what_it_says(self, path):
        assert len(claims(path)) >= 3
        assert all("assert " in cell.source for cell in claims(path))

    @ALL
    def test_a_claim_is_folded_under_a_comment_in_plain_words(self, path):
        for cell in claims(path):
            assert is_hidden(cell, "source"), cell.source
            assert len(first_comment(cell).split()) >= 3, cell.source

    @ALL
    def test_a_claim_tells_what_would_make_it_false(self, path):
        for cell in claims(path):
            assert ast.parse(cell.metadata.get("falsify", "")).body, cell.source

    @ALL
    def test_a_claim_that_not_all_settings_allow_says_where_it_is_left_out(self, path):
        for cell in claims(path):
            bare = re.search(r"\b(?<!checked\()full_\w+", without_comments(cell.source))
            assert not bare, cell.source
            if "checked(" in cell.source:
                assert {"nbval-ignore-output", "depends-on-training"} <= set(tags(cell))

    @ALL
    def test_no_claim_stands_in_a_cell_without_the_tag(self, path):
        for cell in code_cells(read(path)):
            asserts = re.search(r"(?m)^\s*assert ", cell.source)
            assert ("claim" in tags(cell)) == bool(asserts), cell.source


def without_comments(source: str) -> str:
    return ast.unparse(ast.parse(source))


def claims(path) -> list:
    return [cell for cell in code_cells(read(path)) if "claim" in tags(cell)]


class TestStoredOutputs:
    @ALL
    def test_it_was_run_from_top_to_bottom(self, path):
        cells = [cell for cell in code_cells(read(path)) if cell.source.strip()]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))

    @ALL
    def test_nothing_went_to_stderr_and_nothing_failed(self, path):
        for cell in code_cells(read(path)):
            for output in cell.outputs:
                assert output.output_type != "error"
                assert output.get("name") != "stderr", output.text

    @ALL
    def test_every_figure_has_alt_text(self, path):
        for cell in code_cells(read(path)):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    alt = output.metadata["image/png"]["alt"]
                    assert len(alt) > 20 and output.data["text/plain"] == alt

    @ALL
    def test_no_output_is_large(self, path):
        for cell in code_cells(read(path)):
            assert len(str(cell.outputs)) < 300_000, cell.source

    @ALL
    def test_no_notebook_is_large(self, path):
        assert path.stat().st_size < 1_500_000

    @ALL
    def test_no_output_names_a_folder_of_the_authors_machine(self, path):
        for cell in code_cells(read(path)):
            texts = [
                str(o.get("text", "")) + str(o.get("data", {}).get("text/plain", ""))
                for o in cell.outputs
            ]
            assert not re.search(r"(/home/|/root/|/tmp/|/Users/)", " ".join(texts))
            assert str(ROOT) not in " ".join(texts)

    def test_they_were_run_on_mnist(self):
        for path in NOTEBOOKS:
            outputs = str([cell.outputs for cell in code_cells(read(path))])
            assert "Data: MNIST, 60,000 training and 10,000 test images" in outputs


def test_no_notebook_was_forgotten():
    assert len(NOTEBOOKS) == 7
    assert not list(ROOT.glob("*.ipynb"))
