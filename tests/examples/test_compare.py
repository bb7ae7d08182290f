"""The notebook that compares two DataFrames runs from its first cell to its last, and shows what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

NOTEBOOK = json.loads((Path(__file__).parents[2] / "examples" / "compare.ipynb").read_text())
CELLS = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def run():
    """Return what the notebook's names stand for after all of its cells."""
    names = {}
    try:
        for cell in CELLS:
            exec("".join(cell["source"]), names)
        yield names
    finally:
        shutil.rmtree(names["folder"], ignore_errors=True)


def test_of_two_halves_nothing_drifts(run):
    assert run["halves"].drifted == []


def test_what_the_service_broke_is_found_and_named(run):
    deployed = run["deployed"]
    assert set(deployed.drifted) == {"distance", "delay", "carrier"}
    assert "miles to kilometres" in deployed["distance"].finding
    assert run["report"].read_text().startswith("<!doctype html>")


def test_it_is_kept_without_what_a_run_left_in_it():
    assert [cell for cell in CELLS if cell["outputs"] or cell["execution_count"]] == []
