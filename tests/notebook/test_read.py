"""What a store holds, as DataFrames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import driftline
from driftline.errors import NotFoundError
from tests.drift.service.watching import HOUR, HOUR_S, PER_HOUR, make_worker, opened_landing, put_hours
from tests.support.traffic import MODEL, VERSION

LOST = 8 * 24 + 5


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Leave a store in which a feature moved after eight days."""
    place = tmp_path_factory.mktemp("read") / "place"
    with opened_landing(place) as landing:
        put_hours(landing, 0, LOST)
        put_hours(landing, LOST, LOST + 3, shift=lambda _: 500.0)
        make_worker(landing).watch_once()
        return landing.place.store_url


def test_verdicts_are_a_row_each(store):
    found = driftline.read.verdicts(store, model=MODEL, names=("page",))
    assert set(found["feature"]) == {"amount"}
    assert {"effect", "reason", "window_end"} <= set(found.columns)
    since = datetime.fromtimestamp((HOUR + LOST + 1) * HOUR_S, UTC)
    assert len(driftline.read.verdicts(store, since=since, limit=5)) == 5


def test_incidents_tell_what_moved(store):
    found = driftline.read.incidents(store)
    assert list(found["features"]) == [["amount"]]
    assert list(found["state"]) == ["open"]
    assert found["detected"][0] - found["since"][0] <= timedelta(hours=24)


def test_predictions_are_the_newest_first_with_a_feature(store):
    found = driftline.read.predictions(store, MODEL, feature="amount", limit=PER_HOUR)
    assert len(found) == PER_HOUR
    assert found["value"].min() >= 500
    assert found["time"].is_monotonic_decreasing
    assert set(found["model_version"]) == {VERSION}


def test_a_model_without_predictions_is_named(store):
    with pytest.raises(NotFoundError, match="'nope' has no prediction of version any in 'production'"):
        driftline.read.predictions(store, "nope")


def test_without_truths_performance_has_no_rows_and_all_columns(store):
    found = driftline.read.performance(store)
    assert found.empty
    assert {"metric", "value", "low", "high"} <= set(found.columns)
