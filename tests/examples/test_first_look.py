"""The notebook runs from its first cell to its last, and shows what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

NOTEBOOK = json.loads((Path(__file__).parents[2] / "examples" / "first_look.ipynb").read_text())
CELLS = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def run(monkeypatch):
    """Return what the notebook's names stand for after all of its cells."""
    monkeypatch.setenv("DRIFTLINE_LOG", "")
    monkeypatch.setenv("DRIFTLINE_STORE", "")
    names = {}
    try:
        for cell in CELLS:
            exec(cell, names)
        yield names
    finally:
        shutil.rmtree(names["folder"], ignore_errors=True)


def test_every_prediction_lands_and_is_traced_to_its_run(run):
    served = [row for row in run["ledger"] if row["environment"] == "production"]
    assert [(row["sent"], row["landed"], row["missing"]) for row in served] == [(1000, 1000, 0)]
    assert run["traced"]["training_run"]["training_run_id"] == "run-7f3a"
    assert len(run["traced"]["outcomes"]) == 1


def test_it_is_kept_without_what_a_run_left_in_it():
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert [cell for cell in cells if cell["outputs"] or cell["execution_count"]] == []
