"""The page of the logger says what servers and task runners lose, and it is true: each is run."""

from __future__ import annotations

import pytest

from tests.sdk import server_table
from tests.sdk.server_table import CASES, Case


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.exhaustive] if case.is_long else [])
        for case in CASES
    ],
)
def test_what_a_server_loses_is_what_the_page_says(case: Case) -> None:
    """Those that take longest, and the many that are alike, run in `make soak`."""
    assert case.row() in server_table.shown()


def test_the_page_shows_each_that_was_tried_and_no_other() -> None:
    assert [row.rpartition(" | ")[0] for row in server_table.shown()] == [case.key for case in CASES]
