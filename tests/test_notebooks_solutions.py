"""The solutions, executed in turn: they run, and every claim in them can fail."""

import shutil

import pytest
from conftest import SOLUTIONS, in_turn, read

from tools.claims import unproven
from tools.execute import execute


@pytest.mark.slow
@pytest.mark.parametrize("path", in_turn(SOLUTIONS, 1), ids=lambda path: path.stem)
def test_solutions_run_and_every_claim_in_them_can_fail(networks, path, tmp_path, monkeypatch):
    # A network that the run has trained is not trained once more.
    shutil.copytree(networks, tmp_path / "networks")
    monkeypatch.setenv("MNIST_ARTIFACTS", str(tmp_path / "networks"))
    execute(path, tmp_path / path.name)
    assert unproven(read(tmp_path / path.name)) == []
