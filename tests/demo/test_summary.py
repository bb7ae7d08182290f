"""What the demo tells of its incidents and faults."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from driftline.demo.flights import FeedError
from driftline.demo.summary import Incident, PlannedFault, confirm, explain, find_fault, incidents_of
from driftline.domain.incidents import Finding
from driftline.domain.incidents import Incident as AlertedIncident
from driftline.domain.streams import Stream
from driftline.store.summary import PageVerdict, Situation, read_situation
from tests.drift.service.watching import make_worker, opened_landing, put_hours

NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)


def verdict(
    hours: float, feature: str = "temp", *, episode: str = "a", scale: int = 1, rank: int = 1
) -> PageVerdict:
    return PageVerdict(
        feature, "production", NOON + timedelta(hours=hours), scale, "nulls", "", rank, episode
    )


def test_what_follows_within_24_quiet_hours_belongs_to_the_incident() -> None:
    incidents = incidents_of([verdict(0), verdict(24), verdict(48), verdict(73)])
    assert [len(incident.verdicts) for incident in incidents] == [3, 1]


def test_an_incident_is_named_after_the_foremost_feature_of_its_first_window() -> None:
    incident = Incident((verdict(0, "humid", rank=2), verdict(0, "temp", rank=1), verdict(5, "dest")))
    assert incident.first.feature == "temp"
    assert incident.features == ["temp", "humid", "dest"]


FAULT = PlannedFault("broken", ("temp", "dewp"), NOON, NOON + timedelta(hours=72))


def test_a_fault_is_found_by_the_first_incident_of_its_features_after_it_began() -> None:
    found = find_fault(FAULT, [verdict(-1, episode="early"), verdict(3, "dest"), verdict(4), verdict(5)])
    assert found == verdict(4)


def test_an_incident_that_was_on_before_the_fault_did_not_find_it() -> None:
    """Otherwise whatever incidents all the time would find every fault at once."""
    assert find_fault(FAULT, [verdict(-1), verdict(1), verdict(2)]) is None


def test_an_incident_long_after_the_fault_did_not_find_it() -> None:
    assert find_fault(FAULT, [verdict(72 + 25)]) is None


def test_an_incident_is_explained_only_by_an_error_of_its_feature_in_its_window() -> None:
    """An error elsewhere, or earlier, excuses nothing."""
    time = pd.Timestamp(NOON)
    error = FeedError("outage", ("temp",), time - pd.Timedelta(hours=3), time - pd.Timedelta(hours=2))
    assert explain(Incident((verdict(0, scale=6),)), [error]) == "outage"
    assert explain(Incident((verdict(0, scale=1),)), [error]) is None
    assert explain(Incident((verdict(0, "dest", scale=6),)), [error]) is None


def alerted(feature: str, hours: int) -> AlertedIncident:
    hour = int(NOON.timestamp()) // 3600 + hours
    evidence = {"channel": "nulls", "effect": 0.2, "expected": 0.0, "observed": 0.2, "z": 9.0}
    times = {"scale_hours": 1, "since": hour - 1, "detected": hour, "last": hour}
    finding = Finding(
        segment="",
        feature=feature,
        kind="numeric",
        reference="production",
        episode_ids=("a",),
        **evidence,
        **times,
    )
    return AlertedIncident(
        stream=Stream("m", "1", "production"),
        incident_id="p",
        detected=hour,
        state="open",
        findings=(finding,),
    )


def test_incidents_of_a_faults_features_are_confirmed_from_its_first_hour_until_a_day_after_its_last() -> (
    None
):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for hours, is_confirmed in ((0, False), (1, True), (72 + 24, True), (72 + 25, False)):
        answer = confirm(alerted("dewp", hours), [FAULT], now=now)
        assert (answer is not None) == is_confirmed
        assert answer is None or (answer.name, answer.given_at) == ("real", now)
    assert confirm(alerted("dest", 5), [FAULT], now=now) is None


def test_serving_is_judged_when_its_last_closed_hour_is_whatever_hours_without_any_come_behind(tmp_path):
    """By the hours alone a demo that ends after a quiet night would wait for ever."""
    with opened_landing(tmp_path) as landing:
        assert read_situation(landing.client) == Situation(0, 0, 0)
        put_hours(landing, 0, 1, rows=2)
        assert read_situation(landing.client) == Situation(2, 0, 0)
        put_hours(landing, 3, 5, rows=2)
        put_hours(landing, 9, 10, rows=2)
        assert read_situation(landing.client) == Situation(8, 5, 0)
        make_worker(landing, reference_patience_s=0.0).watch_once()
        assert read_situation(landing.client) == Situation(8, 5, 5)
