"""A verdict depends on the rows alone: not on their order, nor on how they came in sessions and inserts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from driftline import register_training_run
from driftline.domain.streams import Stream
from driftline.drift import Judge, Verdict
from driftline.store import grids
from driftline.store.grids import read_grids
from driftline.store.profiles import read_hours
from tests.support.landing import put
from tests.support.training import WAIVED

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_HOUR = 489_984
"""A Monday at midnight, UTC."""

HOURS = 9 * 24 + 6
DRIFTS_AT = 9 * 24
ROWS_AN_HOUR = 35

Rows = list[dict[str, Any]]
Pieces = list[Rows]


def made_rows() -> Rows:
    """Return rows of nine days and six hours, in the last of which everything is different."""
    rng = np.random.default_rng(11)
    rows = []
    for hour in range(HOURS):
        drifted = hour >= DRIFTS_AT
        for second in np.sort(rng.integers(0, 3600, ROWS_AN_HOUR)).tolist():
            amount = rng.lognormal(2.0 + drifted, 0.6)
            features = {
                "amount": None if rng.random() < 0.02 + 0.5 * drifted else float(amount),
                "age": float(rng.normal() + 2 * drifted) if rng.random() < 0.99 else float("nan"),
                "city": str(rng.choice(["ANKARA" if drifted else "Ankara", "Bergen", "Cork"])),
            }
            rows.append({"features": features, "event_time": (FIRST_HOUR + hour) * 3600.0 + second})
    return rows


ROWS = made_rows()


def shuffled(rows: Rows, seed: int) -> Rows:
    return [rows[place] for place in np.random.default_rng(seed).permutation(len(rows))]


def cut(rows: Rows, pieces: int, seed: int) -> Pieces:
    """Cut rows into pieces of any sizes, each a session that is landed by itself."""
    cuts = np.sort(np.random.default_rng(seed).choice(len(rows), pieces - 1, replace=False)).tolist()
    return [rows[first:end] for first, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]


WAYS: dict[str, Callable[[Rows], Pieces]] = {
    "shuffled": lambda rows: [shuffled(rows, 1)],
    "newest first": lambda rows: [rows[::-1]],
    "in nine pieces": lambda rows: cut(rows, 9, 2),
    "shuffled, in five pieces": lambda rows: cut(shuffled(rows, 3), 5, 4),
    "an hour amid others": lambda rows: [rows[::3], rows[1::3], rows[2::3]],
}


def land_and_judge(landing, model: str, pieces: Pieces, *, reference_first: bool = True) -> list[Verdict]:
    """Land pieces under a model's name; return what a judge that reads the store says of every hour."""
    if reference_first:
        register(landing, model)
    for piece in pieces:
        put(landing, piece, model_name=model)
    if not reference_first:
        register(landing, model)
        landing.land()
    reference, production = (
        read_hours(
            landing.client,
            Stream(model, "3", environment),
            first_hour=FIRST_HOUR,
            end_hour=FIRST_HOUR + HOURS,
        )
        for environment in ("reference", "production")
    )
    assert production.end_hour == FIRST_HOUR + HOURS
    judge = Judge(
        grids=read_grids(landing.client, model), training=reference.profiles, identity="one for all ways"
    )
    return [verdict for profile in production.profiles for verdict in judge.judge(profile)]


def register(landing, model: str) -> None:
    rows = ROWS[: DRIFTS_AT * ROWS_AN_HOUR : 4]
    register_training_run(
        "run-7f3a",
        model_name=model,
        model_version="3",
        waive=WAIVED,
        log=landing.log,
        reference={name: [row["features"][name] for row in rows] for name in rows[0]["features"]},
        reference_event_times=[row["event_time"] for row in rows],
    )


@pytest.fixture(scope="module")
def expected(landing) -> list[Verdict]:
    return land_and_judge(landing, "in order", [ROWS])


def test_verdicts_to_compare_are_of_every_kind(expected):
    assert {(verdict.verdict, verdict.reference) for verdict in expected} >= {
        ("learning", "production"),
        ("ok", "production"),
        ("page", "production"),
        ("page", "training"),
    }


@pytest.mark.parametrize("way", WAYS)
def test_verdicts_do_not_depend_on_how_rows_came(landing, expected, way):
    assert land_and_judge(landing, way, WAYS[way](ROWS)) == expected


def test_verdicts_do_not_depend_on_whether_the_reference_came_first(landing, monkeypatch, expected):
    """What had landed on the default grid is counted anew on the one that the reference gives."""
    monkeypatch.setattr(grids, "PRODUCTION_ROWS", len(ROWS) + 1)  # Else production gives the grids.
    assert land_and_judge(landing, "late", cut(ROWS, 3, 5), reference_first=False) == expected
