"""A second order of severity is refused, however it is written."""

from __future__ import annotations

import pytest

from tests.tidy.homes import SEVERITY_HOME, severity_orders

ELSEWHERE = "services/driftline/web/formatting.py"


@pytest.mark.parametrize(
    "line",
    [
        'ORDER = ("page", "warn", "ok")',
        'order = ["ok", "learning", "insufficient_data", "else"]',
        "order = (VerdictName.PAGE, VerdictName.WARN, VerdictName.OK)",
        'RANK = {"page": 3, "warn": 2, "ok": 1}',
    ],
)
def test_an_order_of_verdicts_outside_of_its_home_is_found(line):
    assert len(list(severity_orders(ELSEWHERE, line))) == 1
    assert list(severity_orders(SEVERITY_HOME, line)) == []


@pytest.mark.parametrize(
    "line",
    [
        'if verdict in ("page", "warn"): pass',
        '_HEIGHTS = {"page": 24, "warn": 14, "ok": 4}',
        'x = {"ok": "ok"}',
    ],
)
def test_a_choice_of_verdicts_or_how_they_look_is_no_order(line):
    assert list(severity_orders(ELSEWHERE, line)) == []
