"""The joint check of a stored stream: restarted, interrupted or fitted anew, it says the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest

from driftline.domain.streams import Stream
from driftline.drift import DriftSettings
from driftline.drift.joint.judge import JointWatch
from driftline.drift.service.pipeline import as_kept
from driftline.errors import StoreError
from driftline.store.joint import read_joint_findings
from tests.support.landing import Landing
from tests.support.running import Place

WEEK = 168
START = 2917 * WEEK
"""The first hour of a week, as projections count them."""

ROWS = 80
END = START + 3 * WEEK + 12
STREAM = Stream("till", "3", "production")


def rows_of(hour, *, turned=False, rows=ROWS, single=False):
    """The features of an hour's rows: two hang together, and a third does not."""
    rng = np.random.default_rng((5, hour))
    first = rng.normal(size=rows)
    second = (-0.9 if turned else 0.9) * first + 0.44 * rng.normal(size=rows)
    third = rng.normal(size=rows)
    if single:
        return [{"age": value} for value in first.tolist()]
    values = zip(first.tolist(), second.tolist(), third.tolist(), strict=True)
    return [{"age": age, "height": height, "rate": rate} for age, height, rate in values]


def insert(client, hours, stream=STREAM, **options):
    """Store rows as the lander would, without its pace."""
    rows = [
        [
            UUID(int=(hour << 32) + number),
            datetime.fromtimestamp(hour * 3600 + number, UTC),
            stream.model_name,
            stream.model_version,
            "run",
            "session",
            number + 1,
            stream.environment,
            features,
        ]
        for hour in hours
        for number, features in enumerate(rows_of(hour, **options))
    ]
    names = "event_id event_time model_name model_version training_run_id session_id sequence environment"
    client.insert("predictions", rows, column_names=[*names.split(), "numeric_features"])


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """Three weeks in which two features hang together, and two days in which they do otherwise."""
    opened = Landing(Place(tmp_path_factory.mktemp("joint")))
    insert(opened.client, range(START, END - 12))
    insert(opened.client, range(END - 12, END + 50), turned=True)
    yield opened
    opened.close()


def forget(landing):
    for table in ("joint_projections", "joint_profiles", "joint_findings"):
        landing.client.command(f"TRUNCATE TABLE {table}")


@pytest.fixture(autouse=True)
def forgotten(landing):
    """Each test begins with what landed, and nothing that was judged."""
    forget(landing)


def count(landing, table):
    return landing.client.rows(f"SELECT count() FROM {table}")[0][0]


def kept(verdicts):
    """What is stored of verdicts: sums over other spans differ in their last bits."""
    return [
        replace(as_kept(one), drivers={name: round(share, 9) for name, share in one.drivers.items()})
        for one in verdicts
    ]


def test_a_relation_that_turns_is_found_in_its_first_hour(landing):
    reported = JointWatch(landing.client, STREAM).judge(range(END - 14, END))
    warned = [one for one in reported if one.verdict == "warn"]
    assert {one.verdict for one in reported} == {"ok", "warn"}
    assert min(one.window_end for one in warned) == END - 11
    assert "age × height" in warned[0].drivers
    assert len(reported) == 14 * 3


def test_judged_hour_by_hour_by_watches_of_their_own_it_says_the_same(landing):
    first = END - 13
    at_once = JointWatch(landing.client, STREAM).judge(range(first, first + 4))
    forget(landing)
    one_by_one = [
        verdict
        for hour in range(first, first + 4)
        for verdict in JointWatch(landing.client, STREAM).judge([hour])
    ]
    assert kept(one_by_one) == kept(at_once)


def test_hours_that_warned_are_no_reference_also_after_a_restart(landing):
    """What is found would be the new normal after days, or only for a worker that ran all the time."""
    reported = JointWatch(landing.client, STREAM).judge(range(END - 12, END + 50))
    again = JointWatch(landing.client, STREAM).judge([END + 48, END + 49])
    assert kept(again) == kept(reported[-6:])
    assert {one.verdict for one in again} == {"warn"}
    landing.client.command("TRUNCATE TABLE joint_findings")
    forgetful = JointWatch(landing.client, STREAM).judge([END + 48, END + 49])
    assert [one.expected for one in forgetful] != [one.expected for one in again]


def test_a_new_week_is_fitted_anew_and_that_alone_changes_nothing(landing):
    border = START + 2 * WEEK
    watch = JointWatch(landing.client, STREAM)
    reported = watch.judge(range(border - 3, border + 3))
    assert {one.window_end for one in reported} == {border + end for end in range(-2, 4)}
    assert {one.verdict for one in reported} == {"ok"}
    assert count(landing, "joint_projections") == 2
    assert JointWatch(landing.client, STREAM).judge(range(border, border + 3)) == reported[9:]
    assert count(landing, "joint_projections") == 2


def test_what_was_counted_is_not_read_again(landing, monkeypatch):
    JointWatch(landing.client, STREAM).judge([END - 14])
    counted = count(landing, "joint_profiles")
    read = []
    module = "driftline.drift.joint.judge.read_sample"
    monkeypatch.setattr(module, lambda *_, **hours: read.append(hours))
    assert JointWatch(landing.client, STREAM).judge([END - 14])
    assert read == []
    assert count(landing, "joint_profiles") == counted > WEEK


def test_an_hour_is_counted_anew_when_rows_of_it_arrived_late_and_kept_when_they_are_gone(landing):
    late = Stream("late", "1", "production")
    hours = range(END - 40 - WEEK, END - 40)
    insert(landing.client, hours, late)
    before = JointWatch(landing.client, late).judge([hours[-1]])
    landing.client.command(
        "INSERT INTO predictions SELECT * REPLACE (generateUUIDv4() AS event_id) FROM predictions "
        f"WHERE model_name = 'late' AND toStartOfHour(event_time) = fromUnixTimestamp({hours[-1] * 3600})"
    )
    after = JointWatch(landing.client, late).judge([hours[-1]])
    assert [one.sample_size for one in (before[0], after[0])] == [ROWS, 2 * ROWS]
    landing.client.command("DELETE FROM predictions WHERE model_name = 'late'")
    again = JointWatch(landing.client, late).judge([hours[-1]])
    assert again == after


def test_what_late_rows_take_back_is_found_no_more_and_what_they_bring_is_found(landing):
    late = Stream("taken back", "1", "production")
    hour = END - 40
    insert(landing.client, range(hour - 2 * WEEK, hour), late)
    insert(landing.client, [hour], late, turned=True)
    insert(landing.client, [hour + 1], late)
    warned = JointWatch(landing.client, late).judge([hour, hour + 1])
    assert {one.verdict for one in warned} == {"warn"} | {"ok"}

    def found():
        findings = read_joint_findings(landing.client, late, since_hour=hour, end_hour=hour + 2)
        return {(one.window_end - hour, one.scale_hours) for one in findings}

    assert (1, 1) in found()
    replace_hour(landing.client, late, hour, rows=ROWS + 40)
    calm = JointWatch(landing.client, late).judge_anew([hour, hour + 1])
    assert {one.verdict for one in calm} == {"ok"}
    assert found() == set()
    replace_hour(landing.client, late, hour + 1, rows=ROWS + 40, turned=True)
    reported = JointWatch(landing.client, late).judge_anew([hour + 1])
    assert "warn" in {one.verdict for one in reported}
    assert {end for end, _ in found()} == {2}


def replace_hour(client, stream, hour, **options):
    client.command(
        f"DELETE FROM predictions WHERE model_name = '{stream.model_name}' "
        f"AND toStartOfHour(event_time) = fromUnixTimestamp({hour * 3600})"
    )
    insert(client, [hour], stream, **options)


def test_hours_that_were_cut_short_are_judged_again(landing, monkeypatch):
    hours = range(END - 13, END - 9)
    expected = JointWatch(landing.client, STREAM).judge(hours)
    watch = JointWatch(landing.client, STREAM)
    with monkeypatch.context() as patched:
        module = "driftline.drift.joint.judge.write_joint_findings"
        patched.setattr(module, lambda *_, **__: (_ for _ in ()).throw(StoreError("away")))
        with pytest.raises(StoreError):
            watch.judge(hours)
    assert watch.judge(hours) == expected


def test_before_there_is_a_week_to_fit_there_is_no_verdict(landing):
    assert JointWatch(landing.client, STREAM).judge(range(START, START + 5)) == []


def test_a_model_with_a_single_feature_has_no_verdict(landing):
    alone = Stream("alone", "1", "production")
    insert(landing.client, range(END - 40, END), alone, single=True)
    assert JointWatch(landing.client, alone).judge(range(END - 12, END)) == []
    assert JointWatch(landing.client, Stream("nobody", "1", "production")).judge([END]) == []


def test_a_new_version_begins_with_the_history_of_the_one_before(landing):
    newer = Stream("till", "4", "production")
    insert(landing.client, range(END - 14, END - 12), newer)
    reported = JointWatch(landing.client, newer, since_hour=END - 14).judge(range(END - 14, END - 12))
    assert {one.verdict for one in reported} == {"ok"}
    forget(landing)
    assert JointWatch(landing.client, newer).judge(range(END - 14, END - 12)) == []


def test_an_hour_that_did_not_arrive_in_whole_is_incomplete(landing):
    reported = JointWatch(landing.client, STREAM).judge([END - 14], missing={END - 14: ROWS})
    states = {one.scale_hours: one.verdict for one in reported}
    assert states[1] == "incomplete"
    assert states[24] == "ok"


def test_of_a_busy_hour_a_sample_is_judged_and_completeness_is_that_of_the_hour(landing, monkeypatch):
    monkeypatch.setattr("driftline.drift.joint.judge.SAMPLED_ROWS", 40)
    reported = JointWatch(landing.client, STREAM, DriftSettings()).judge([END - 14], missing={END - 14: 2.0})
    hourly = next(one for one in reported if one.scale_hours == 1)
    assert 20 <= hourly.sample_size <= 60
    assert hourly.completeness == pytest.approx(ROWS / (ROWS + 2))
