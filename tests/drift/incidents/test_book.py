"""What is one incident, and how the budget of incidents is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftline.domain.incidents import Acknowledgement
from driftline.domain.names import VOLUME
from driftline.domain.streams import Stream
from driftline.drift import DriftSettings
from driftline.drift.incidents.book import IncidentBook
from driftline.drift.margins import Margins
from tests.drift.incidents.books import START, STUCK, busy, run, verdict

SETTINGS = DriftSettings()
TWO_WEEKS = 14 * 24


def new_book(**changes):
    return IncidentBook(Stream("m", "1", "production"), settings=replace(SETTINGS, **changes))


def lasting(feature, first, last, **changes):
    return [verdict(feature, end, since=first - 1, **changes) for end in range(first, last + 1)]


def shown(book):
    return [
        (
            incident.detected - START,
            incident.last - START,
            incident.state,
            {finding.feature for finding in incident.findings},
        )
        for incident in book.incidents
    ]


def test_nothing_that_pages_is_no_incident():
    book = new_book()
    assert book.take(START, [verdict("a", START + 1, verdict="warn")]) == []
    assert book.incidents == []


def test_what_begins_within_a_day_of_the_first_detection_is_one_incident():
    book = new_book()
    paging = [
        *lasting("a", START + 1, START + 60),
        verdict("b", START + 25),
        verdict("c", START + 26),
        verdict("a", START + 5, reference="training", since=START + 4),
        verdict("a", START + 6, segment="carrier=DL", since=START + 5),
    ]
    run(book, paging, START, START + 61)
    assert shown(book) == [
        (1, 60, "open", {"a", "b"}),
        (26, 26, "ended", {"c"}),
    ]
    assert len(book.incidents[0].findings) == 4


def test_a_feature_that_pages_again_while_its_incident_goes_on_belongs_to_it_however_old_that_is():
    book = new_book()
    paging = [
        *lasting("a", START + 1, START + 100),
        verdict("b", START + 2),
        verdict("b", START + 90),
        verdict("a", START + 124),
        verdict("a", START + 149),
    ]
    run(book, paging, START, START + 150)
    assert shown(book) == [(1, 124, "ended", {"a", "b"}), (149, 149, "open", {"a"})]


def test_an_incident_ends_after_a_quiet_day_and_is_reported_when_it_changes_only():
    book = new_book()
    (opened,) = book.take(START, [verdict("a", START + 1)])
    assert (opened.state, opened.revision) == ("open", 1)
    assert run(book, [], START + 1, START + 24) == []
    (ended,) = book.take(START + 24, [])
    assert (ended.state, ended.revision, ended.incident_id) == ("ended", 2, opened.incident_id)
    assert run(book, [], START + 25, START + 80) == []
    # Hours without traffic are not judged.
    book.take(START + 100, [verdict("a", START + 101)])
    (ended,) = book.take(START + 200, [])
    assert (ended.state, ended.last) == ("ended", START + 101)


def test_an_incident_tells_the_evidence_of_the_surest_window_and_the_gravest_finding_first():
    book = new_book()
    stuck = {"channel": STUCK, "z": None, "effect": 1.0, "expected": 0.0, "observed": 1.0}
    paging = [
        verdict("b", START + 1, effect=-0.2, expected=0.5, observed=0.3),
        verdict("a", START + 1, z=5.0, effect=0.1),
        verdict("a", START + 2, since=START, z=8.0, effect=0.4, expected=0.0, observed=0.4, scale_hours=6),
        verdict("a", START + 3, since=START, z=7.0, effect=0.9),
        verdict("c", START + 3, segment="carrier=DL", **stuck),
    ]
    run(book, paging, START, START + 3)
    (incident,) = book.incidents
    assert [(one.feature, one.effect, one.scale_hours) for one in incident.findings] == [
        ("a", 0.4, 6),
        ("b", -0.2, 1),
        ("c", 1.0, 1),
    ]
    assert (incident.since, incident.detected, incident.last) == (START, START + 1, START + 3)
    first = incident.findings[0]
    assert (first.since, first.detected, first.last) == (START, START + 1, START + 3)
    assert first.episode_ids == (f"a//production@{START}",)


@pytest.mark.parametrize(
    ("paging", "headline"),
    [
        (["a"], "a: nulls rose from 1.00% to 31.00%"),
        (["a", "b"], "a and b: nulls rose from 1.00% to 31.00%"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more: nulls rose from 1.00% to 31.00%"),
    ],
)
def test_a_headline_names_few_features(paging, headline):
    book = new_book()
    (incident,) = book.take(START, [verdict(name, START + 1) for name in paging])
    assert incident.headline == headline


def test_a_headline_says_what_moved_and_where():
    book = new_book()
    fallen = verdict("a", START + 1, effect=-0.2, expected=0.5, observed=0.3, segment="carrier=DL")
    (incident,) = book.take(START, [fallen])
    assert incident.headline == "a: nulls fell from 50.00% to 30.00% in carrier=DL"
    (incident,) = book.take(START, [verdict("b", START + 1, channel=STUCK, z=None)])
    assert incident.headline == "b and a: one single value"


def test_hours_are_taken_in_order():
    book = new_book()
    book.take(START + 5, [])
    assert book.take(START + 5, []) == []
    with pytest.raises(ValueError, match=f"hour {START + 4} comes before hour {START + 5}"):
        book.take(START + 4, [])


def test_what_lasts_two_weeks_is_accepted_and_what_it_pages_for_later_is_another_incident():
    book = new_book()
    run(book, lasting("a", START + 1, START + TWO_WEEKS), START, START + TWO_WEEKS)
    (incident,) = book.incidents
    assert (incident.state, incident.accepted_at) == ("accepted", START + TWO_WEEKS)
    assert [(one.name, one.at) for one in book.decisions()] == [("accept", START + TWO_WEEKS)]
    book.take(START + TWO_WEEKS, [verdict("a", START + TWO_WEEKS + 1)])
    assert [incident.state for incident in book.incidents] == ["accepted", "open"]


def test_a_part_of_the_traffic_that_is_accepted_a_little_later_is_no_new_incident():
    book = new_book()
    part = {"segment": "carrier=DL", "since": START + 9}
    late = [verdict("a", START + TWO_WEEKS + hours, **part) for hours in range(1, 10)]
    run(book, [*lasting("a", START + 1, START + TWO_WEEKS), *late], START, START + TWO_WEEKS + 10)
    (incident,) = book.incidents
    assert (incident.state, incident.accepted_at) == ("accepted", START + TWO_WEEKS + 9)
    assert {one.segment: one.at - START - TWO_WEEKS for one in book.decisions()} == {"": 0, "carrier=DL": 9}


def test_what_was_confirmed_to_be_a_fault_is_never_accepted_by_its_age():
    book = new_book()
    paging = lasting("a", START + 1, START + TWO_WEEKS + 50)
    run(book, paging, START, START + 10)
    incident_id = book.incidents[0].incident_id
    (changed,) = book.acknowledge([Acknowledgement(incident_id, START + 1, "real", START + 10)])
    assert changed.acknowledged == "real"
    run(book, paging, START + 10, START + TWO_WEEKS + 50)
    assert [incident.state for incident in book.incidents] == ["open"]


def ack(book, decided, at, incident=0):
    known = book.incidents[incident]
    return Acknowledgement(known.incident_id, known.detected, decided, at)


def test_an_accepted_incident_ends_the_cause_and_decides_on_all_its_episodes():
    book = new_book()
    both = [verdict("a", START + 1), verdict("b", START + 1, segment="carrier=DL")]
    book.take(START, both)
    (incident,) = book.acknowledge([ack(book, "accept", START + 1)])
    assert (incident.state, incident.acknowledged, incident.accepted_at) == ("accepted", "accept", START + 1)
    decided = {(one.segment, one.feature.name, one.episode_id, one.name, one.at) for one in book.decisions()}
    assert decided == {(one.segment, one.feature, one.episode_id, "accept", START + 1) for one in both}
    book.take(START + 1, [verdict("c", START + 2)])
    assert [incident.state for incident in book.incidents] == ["accepted", "open"]


def test_what_was_quiet_for_a_day_when_its_incident_was_accepted_is_no_new_normal():
    book = new_book()
    paging = [
        *lasting("a", START + 1, START + 60),
        verdict("b", START + 2),
        *lasting("c", START + 1, START + 2),
        *lasting("c", START + 40, START + 60),
    ]
    run(book, paging, START, START + 60)
    book.acknowledge([ack(book, "accept", START + 60)])
    decided = {(one.feature.name, one.episode_id.partition("@")[2], one.name) for one in book.decisions()}
    since = [str(START + hour) for hour in (0, 1, 39)]
    assert decided == {
        ("a", since[0], "accept"),
        ("b", since[1], "noise"),
        ("c", since[0], "noise"),
        ("c", since[2], "accept"),
    }


def test_a_repeated_acknowledgement_changes_nothing():
    book = new_book()
    book.take(START, [verdict("a", START + 1)])
    given = [ack(book, "noise", START + 1)]
    assert len(book.acknowledge(given)) == 1
    assert book.acknowledge(list(given)) == []
    assert book.take(START + 1, []) == []


def test_an_acknowledgement_holds_for_an_incident_whose_detection_late_events_moved():
    book = new_book()
    book.take(START, [verdict("a", START + 1)])
    (incident,) = book.acknowledge([Acknowledgement("of before", START + 3, "real", START + 1)])
    assert incident.acknowledged == "real"
    far = new_book()
    far.take(START, [verdict("a", START + 1)])
    assert far.acknowledge([Acknowledgement("of another", START + 26, "real", START + 1)]) == []


@pytest.mark.parametrize("since", [0, START + 200, START + 333, START + 400])
def test_a_book_rebuilt_from_what_is_stored_goes_on_alike(since):
    paging, split, end = busy(5, 700), START + 400, START + 700
    steady = new_book()
    run(steady, paging, START, START + 250)
    given = [ack(steady, "real", START + 250), ack(steady, "accept", START + 250, incident=-1)]
    steady.acknowledge(given)
    run(steady, paging, START + 250, split)
    rebuilt = new_book()
    earlier = [one for one in paging if one.window_end <= split]
    assert (
        rebuilt.resume(
            stored=list(reversed(steady.incidents)),
            verdicts=reversed(earlier),
            acknowledgements=given,
            since=since,
            next_hour=split,
        )
        == []
    )
    assert len(steady.incidents) > 3
    for hour in range(split, end):
        now = [one for one in paging if one.window_end == hour + 1]
        assert rebuilt.margin(hour) == steady.margin(hour)
        assert rebuilt.take(hour, now) == steady.take(hour, now)
    assert rebuilt.incidents == steady.incidents
    assert rebuilt.decisions() == steady.decisions()


def test_incidents_that_a_crash_kept_from_being_stored_are_reported_again():
    paging = busy(6, 300)
    steady = new_book()
    run(steady, paging, START, START + 200)
    stored = list(steady.incidents)
    run(steady, paging, START + 200, START + 300)
    rebuilt = new_book()
    missed = rebuilt.resume(stored=stored, verdicts=paging, next_hour=START + 300)
    assert (
        {incident.incident_id for incident in missed}
        == {incident.incident_id for incident in steady.incidents if incident not in stored}
        != set()
    )
    plain = [replace(incident, revision=1) for incident in steady.incidents]
    assert [replace(incident, revision=1) for incident in rebuilt.incidents] == plain


def test_an_incident_that_late_events_took_back_is_withdrawn_and_counts_no_more():
    book = new_book()
    run(book, [verdict("a", START + 1), verdict("b", START + 90)], START, START + 100)
    rebuilt = new_book()
    withdrawn, *_ = rebuilt.resume(
        stored=book.incidents, verdicts=[verdict("b", START + 90)], next_hour=START + 100
    )
    assert (withdrawn.incident_id, withdrawn.state) == (book.incidents[0].incident_id, "withdrawn")
    assert withdrawn.revision == book.incidents[0].revision + 1
    assert [incident.detected for incident in rebuilt.incidents] == [START + 90]
    assert rebuilt.level(START + 100) < book.level(START + 100)
    again = new_book()
    assert (
        again.resume(
            stored=[withdrawn, *rebuilt.incidents], verdicts=[verdict("b", START + 90)], next_hour=START + 100
        )
        == []
    )


def test_each_incident_that_nobody_confirms_asks_for_more_and_the_budget_takes_it_away():
    book = new_book()
    assert book.margin(START).of("a") == 1.0
    book.take(START, [verdict("a", START + 1), verdict("b", START + 1)])
    assert book.level(START) == 0.0
    assert book.level(START + 1) == pytest.approx(0.3)
    assert book.margin(START + 1).of("a") == pytest.approx(np.exp(0.3))
    assert book.level(START + 501) == pytest.approx(0.15)
    assert book.level(START + 5000) == 0.0
    book.take(START + 500, [verdict("a", START + 501)])
    assert book.level(START + 501) == pytest.approx(0.45)


def test_a_feature_that_pages_again_and_again_asks_for_more_of_itself_alone():
    """Four pages of one feature made the next one, of any other, ask for three times the evidence."""
    book = new_book()
    run(book, [verdict("noisy", START + 1 + 50 * n) for n in range(4)], START, START + 200)
    margin = book.margin(START + 152)
    assert margin.of("noisy") > 3
    assert margin.of("other") == margin.of(VOLUME) == 1.0
    assert book.level(START + 152) == pytest.approx(4 * 0.3 - 151 * 0.3 / 1000)


def test_features_that_page_one_after_the_other_ask_for_more_of_all():
    """Many noisy features keep to the budget together: another one is held back as if they were one."""
    book = new_book()
    names = ["a", "b", "c", "d"]
    run(book, [verdict(name, START + 1 + 50 * n) for n, name in enumerate(names)], START, START + 200)
    margin = book.margin(START + 152)
    assert margin.of("e") == pytest.approx(np.exp(0.75 * book.level(START + 152)), rel=0.1)
    assert margin.of("a") == pytest.approx(np.exp(book.level(START + 152)), rel=0.01)


def test_many_noisy_features_come_within_the_budget_of_the_model():
    """Ten features with heavy-tailed shocks of their own, each an incident in two hundred hours by itself."""
    rates = []
    surely = np.quantile(np.abs(np.random.default_rng(99).standard_t(3, size=1_000_000)), 0.995)
    names = [f"f{place}" for place in range(10)]
    for seed in range(4):
        shocks = np.abs(np.random.default_rng(seed).standard_t(3, size=(4000, 10)))
        book = new_book()
        for hour, row in enumerate(shocks, START):
            if row.max() <= surely:
                continue
            margin = book.margin(hour)
            paging = [
                verdict(name, hour + 1)
                for name, shock in zip(names, row.tolist(), strict=True)
                if shock > surely * margin.of(name)
            ]
            if paging:
                book.take(hour, paging)
        found = np.array([incident.detected - START for incident in book.incidents])
        rates.append(np.histogram(found, bins=np.arange(0, 4001, 1000))[0])
    by_thousand = np.mean(rates, axis=0)
    assert by_thousand[0] > 2
    assert by_thousand[2:].mean() <= 1.8


def test_the_controller_can_be_switched_off():
    book = new_book(controller_step=0.0)
    run(book, [verdict("a", START + 1 + 50 * n) for n in range(20)], START, START + 1000)
    assert book.margin(START + 1000) == Margins()


@pytest.mark.parametrize(
    ("decided", "level"), [("real", 0.0), ("accept", 0.0), ("noise", pytest.approx(0.3 - 0.3 * 49 / 1000))]
)
def test_an_acknowledgement_counts_from_when_it_was_given(decided, level):
    book = new_book()
    book.take(START, [verdict("a", START + 1)])
    before = book.level(START + 40)
    book.acknowledge([ack(book, decided, START + 50)])
    assert book.level(START + 40) == before > 0
    assert book.level(START + 50) == level


def test_the_last_acknowledgement_counts():
    book = new_book()
    book.take(START, [verdict("a", START + 1)])
    book.acknowledge([ack(book, "real", START + 50), ack(book, "noise", START + 60)])
    assert book.level(START + 50) == 0
    assert book.level(START + 60) > 0


def test_a_stream_that_would_incident_every_hundred_hours_comes_within_its_budget():
    """Shocks as heavy-tailed as Student's t with 3 degrees of freedom, one in a hundred hours an incident."""
    rates = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        shocks = np.abs(rng.standard_t(3, size=7000))
        surely = np.quantile(np.abs(np.random.default_rng(99).standard_t(3, size=1_000_000)), 0.99)
        book = new_book()
        for hour, shock in enumerate(shocks.tolist(), START):
            incidents = shock > surely * book.margin(hour).of("a")
            book.take(hour, [verdict("a", hour + 1)] if incidents else [])
        found = np.array([incident.detected - START for incident in book.incidents])
        rates.append(np.histogram(found, bins=np.arange(0, 7001, 1000))[0])
    by_thousand = np.mean(rates, axis=0)
    assert by_thousand[0] > 2
    assert by_thousand[1:].mean() <= 1.5
