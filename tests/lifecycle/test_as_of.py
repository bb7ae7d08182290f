"""A snapshot as of a moment holds what had landed by then, and nothing that landed later changes it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from driftline.domain.snapshots import Definition
from driftline.errors import SettingError
from driftline.lifecycle.archive import create_snapshot, fetch_snapshot
from driftline.lifecycle.defining import Wanted as Asked
from driftline.lifecycle.defining import define
from driftline.lifecycle.place import Location
from driftline.store.snapshots import count_snapshot
from tests.lifecycle.known import (
    Made,
    Outcome,
    Wanted,
    honest,
    peeking_at_corrections,
    peeking_at_outcomes,
    peeking_at_predictions,
)
from tests.lifecycle.traffic import START

EVENTS = 12
_numbers = count()

MINUTE = st.integers(0, 240)
MADE = st.lists(
    st.tuples(st.integers(0, 150), st.sampled_from([0, 1, 20, 90])), min_size=EVENTS, max_size=EVENTS
).map(lambda pairs: [Made(number, at, at + late) for number, (at, late) in enumerate(pairs)])
OUTCOMES = st.lists(
    st.tuples(
        st.integers(0, EVENTS - 1),
        st.sampled_from([0.0, 1.0, 1.0, 2.5, None]),
        st.integers(0, 2),
        st.sampled_from([None, None, None, True, False]),
        MINUTE,
        MINUTE,
    ),
    min_size=EVENTS,
    max_size=3 * EVENTS,
).map(lambda rows: [Outcome(place, *row) for place, row in enumerate(rows, 1)])
WANTED = st.builds(
    Wanted,
    as_of=st.integers(30, 240),
    maturity=st.sampled_from([0, 0, 30]),
    label_age=st.sampled_from([None, None, 60]),
)


def at(minute):
    return START + timedelta(minutes=minute)


def put(client, model, made, outcomes):
    """Write rows as the lander does, each with the time at which it landed."""
    first = EVENTS * next(_numbers)

    def event_id(number):
        return UUID(int=(4 << 76) | (2 << 62) | first + number)

    names = {"model_name": model, "model_version": "1", "environment": "production", "training_run_id": "r"}
    logged = {"log_id": model, "log_partition": 0, "session_id": model}
    prediction_rows = [
        {
            **names,
            **logged,
            "event_id": event_id(each.event),
            "event_time": at(each.at),
            "landed_at": at(each.landed),
            "log_offset": each.event,
            "sequence": each.event + 1,
            "prediction_number": 0.5,
            "numeric_features": {"x": float(each.event)},
        }
        for each in made
    ]
    outcome_rows = [
        {
            "event_id": event_id(each.event),
            "observed_time": at(each.observed),
            "landed_at": at(each.landed),
            "model_name": model,
            "session_id": model,
            "sequence": each.place,
            "actual_number": each.actual,
            "revision": each.revision,
            "acted_on": each.acted_on,
        }
        for each in outcomes
    ]
    for table, rows in (("predictions", prediction_rows), ("outcomes", outcome_rows)):
        if rows:
            client.insert(table, [list(row.values()) for row in rows], column_names=list(rows[0]))


def snapshot(client, model, wanted, folder):
    """Return of how many predictions became what, and the truths of those that were taken by event."""
    as_of = at(wanted.as_of)
    definition = Definition(
        model_name=model,
        since=START,
        until=as_of,
        as_of=as_of,
        maturity=timedelta(minutes=wanted.maturity),
        label_age=None if wanted.label_age is None else timedelta(minutes=wanted.label_age),
    )
    if not count_snapshot(client, definition).get("taken"):
        with pytest.raises(SettingError, match="no row is left for a snapshot"):
            create_snapshot(client, definition, Location.at(str(folder)), author="me", settled=as_of)
        return None, {}
    made = create_snapshot(client, definition, Location.at(str(folder)), author="me", settled=as_of)
    files = fetch_snapshot(made, folder / "fetched" / made.snapshot_id)
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return made.plain["counts"], {int(row["numeric.x"]): row["actual_number"] for row in rows}


@settings(max_examples=8)
@given(made=MADE, outcomes=OUTCOMES, wanted=st.lists(WANTED, min_size=2, max_size=2))
def test_any_mix_of_what_lands_gives_what_looking_at_every_row_gives(
    client, tmp_path_factory, made, outcomes, wanted
):
    """Predictions that land late, behind their outcomes, too; outcomes, corrections, what was acted on."""
    folder = tmp_path_factory.mktemp("as-of")
    model = f"as-of-{folder.name}"
    put(client, model, made, outcomes)
    for each in wanted:
        expected = honest(made, outcomes, each)
        truths = {event: truth for event, (status, truth) in expected.items() if status == "taken"}
        counts = dict(Counter(status for status, _ in expected.values()))
        assert snapshot(client, model, each, folder) == (counts if truths else None, truths)


@pytest.mark.parametrize("peeking", [peeking_at_predictions, peeking_at_outcomes, peeking_at_corrections])
def test_a_snapshot_that_peeks_would_be_found_out(peeking):
    """The strategy above holds cases in which it takes other rows or truths, and not merely counts them."""

    def taken(case, look):
        made, outcomes, (wanted, *_) = case
        return [each for each in look(made, outcomes, wanted).items() if each[1][0] == "taken"]

    case = find(
        st.tuples(MADE, OUTCOMES, st.lists(WANTED, min_size=1, max_size=1)),
        lambda case: taken(case, honest) != taken(case, peeking),
        settings=settings(max_examples=300, phases=[Phase.generate]),
    )
    assert taken(case, honest) != taken(case, peeking)


def test_a_definition_as_of_an_earlier_time_has_the_period_that_it_had_then(client):
    """What was predicted in the last hour landed later: then nobody could know of it."""
    made = [Made(0, 10, 11), Made(1, 70, 71), Made(2, 130, 200)]
    put(client, "period", made, [Outcome(1, 0, 1.0, 0, None, 20, 21)])
    given = {"model_name": "period", "since": START, "maturity": timedelta(0), "split": "none"}
    periods = [define(client, Asked(**given, as_of=at(minute))).until for minute in (180, 240)]
    assert periods == [at(120), at(180)]
