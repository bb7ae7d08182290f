"""A version with registered reference rows, whose first hour closes."""

from __future__ import annotations

import pytest

from tests.drift.service.watching import make_worker, opened_landing, put_hours, reported

FIRST = 400


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def against_reference(landing, **how):
    """Return what the first hour comes to against the reference, by feature, in windows of an hour."""
    put_hours(landing, 0, 1, rows=600, environment="reference")
    put_hours(landing, FIRST, FIRST + 1, rows=200, **how)
    put_hours(landing, FIRST + 1, FIRST + 2, rows=1)
    worker = make_worker(landing)
    while worker.watch_once():
        pass
    rows = [row for row in reported(landing) if row["scale_hours"] == 1 and row["reference"] == "training"]
    return {row["feature"]: (row["verdict"], row["channel"]) for row in rows}


def test_what_is_served_as_it_was_learned_is_ok(landing):
    found = against_reference(landing)
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert {"amount", "city"} <= found.keys()


def test_what_lies_far_out_of_the_reference_pages_in_the_first_hour(landing):
    found = against_reference(landing, shift=lambda _: 5000.0)
    assert found["amount"] == ("page", "out of range")
    assert found["city"][0] == "ok"
