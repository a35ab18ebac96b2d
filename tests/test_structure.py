"""The notebooks' form: sections, links, figures, cells, claims, stored outputs."""

import ast
import re
from itertools import pairwise
from urllib.parse import unquote, urlparse

import pytest
from conftest import NOTEBOOKS, ROOT, SOLUTIONS, code_cells, read, tags

ALL = pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda path: path.stem)
SERIES = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def markdown(path) -> str:
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def headings(path) -> list[tuple[int, str]]:
    found = re.findall(r"(?m)^(#{1,6}) (.+)$", markdown(path))
    return [(len(marks), text.strip()) for marks, text in found]


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
        texts = [text for level, text in headings(path) if level == 2]
        assert texts[:3] == ["What you'll do", "What you'll learn", "What you'll need"]
        assert re.search(r"\bminutes?\b", markdown(path).split("## What you'll need")[1][:600])

    @SERIES
    def test_it_closes_with_recap_exercises_and_reading(self, path):
        texts = [text for level, text in headings(path) if level == 2]
        assert texts[-3:] == ["Recap", "Exercises", "Further reading"]
        assert "Why your numbers may differ" in texts

    @SERIES
    def test_it_asks_before_it_answers(self, path):
        assert markdown(path).count("**Guess first:**") >= 2

    @SERIES
    def test_it_checks_the_machine_first(self, path):
        assert any("preflight(data)" in cell.source for cell in code_cells(read(path))[:2])


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
        section = markdown(path).split("## Exercises")[1].split("## Further reading")[0]
        exercises = re.findall(r"(?m)^\d+\. .+$", section)
        assert 3 <= len(exercises) <= 5
        for number, exercise in enumerate(exercises, start=1):
            assert re.search(rf"\(solutions/{path.stem}_solutions\.ipynb#{number}\.", exercise)

    def test_every_notebook_has_its_solutions(self):
        assert [p.stem for p in SOLUTIONS] == [f"{p.stem}_solutions" for p in NOTEBOOKS]


class TestCells:
    @ALL
    def test_no_code_cell_is_long(self, path):
        for cell in code_cells(read(path)):
            assert len(cell.source.splitlines()) <= 25, cell.source

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


class TestMetadata:
    """What the tools read: how long it runs, and which trained networks it keeps and uses."""

    @SERIES
    def test_it_tells_its_time_as_the_text_does(self, path):
        time = read(path).metadata.mnist_tutorial["time"]
        needed = " ".join(markdown(path).split("## What you'll need")[1][:600].split())
        assert f"runs in {time} on two cores" in needed

    @SERIES
    def test_it_tells_the_networks_that_it_keeps_and_uses(self, path):
        source = "\n".join(cell.source for cell in code_cells(read(path)))
        told = read(path).metadata.mnist_tutorial
        assert told.get("keeps", []) == re.findall(r'save_run\("(\w+)"', source)
        assert told.get("uses", []) == re.findall(r'load_(?:or_train|run)\(\s*"(\w+)"', source)


class TestClaims:
    @ALL
    def test_it_asserts_what_it_says(self, path):
        claims = [cell for cell in code_cells(read(path)) if "claim" in tags(cell)]
        assert len(claims) >= 3
        assert all("assert " in cell.source for cell in claims)

    @ALL
    def test_no_claim_stands_in_a_cell_without_the_tag(self, path):
        for cell in code_cells(read(path)):
            asserts = re.search(r"(?m)^\s*assert ", cell.source)
            assert ("claim" in tags(cell)) == bool(asserts), cell.source


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
    assert len(NOTEBOOKS) == 6
    assert not list(ROOT.glob("*.ipynb"))
