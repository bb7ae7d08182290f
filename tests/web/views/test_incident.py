"""The story of one incident, on a real store."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_time
from driftline.store.predictions import Filter
from driftline.web.views.incident import example_filter
from tests.web.browser import text_of
from tests.web.conftest import END, SINCE, of_incident, page


@pytest.fixture(scope="module")
def story(site):
    return site.get("/incidents/a1b2c3d4e5f6")


def test_leads_with_what_moved_and_since_when(story):
    text = text_of(story)
    assert "temp drifted still goes on flight-delay, version 3" in text
    assert "temp: nulls rose from 1.0 % to 31.0 %, against the same hours of past weeks." in text
    assert "since 19 Jul 2013, 10:00 UTC (2 d 4 h until now)" in text


def test_says_how_sure_it_is_on_how_much_and_how_much_of_it_arrived(story):
    text = text_of(story)
    assert "1.0 times the evidence that a page needs; +30.0 points" in text
    assert "24 h to 21 Jul 2013, 14:00 UTC: 4,000 events against 16,000" in text
    assert "arrived 99.8 % of that window's events" in text


def test_says_which_part_of_the_traffic_it_comes_from(story):
    assert "comes from origin=JFK (92.0 % of the shift)" in text_of(story)


def test_says_which_part_carries_it_though_nobody_configured_it(story):
    text = text_of(story)
    assert "Which part of the traffic? The mixture changed" in text
    assert "The mixture changed: carrier=DAL went from 0.0% to 40.0% of the traffic, and the rest" in text
    assert "carrier=DAL 0 % 40.0 % – 25.0 %" in text


def test_names_the_training_run_and_its_commit(story):
    assert "training run run-7f3a commit 9f3c2e1a7b" in text_of(story)


def test_shows_predictions_of_its_hours_that_show_it_and_leads_to_each(site, story):
    events = re.findall(r'href="(/predictions/[^"]*)"', story)
    assert len(events) == 5
    for event in events[:2]:
        assert "It was made while temp drifted" in text_of(site.get(event))
        assert "temp none" in text_of(site.get(event))


def test_leads_to_all_of_them_in_the_explorer(site, story):
    link = html.unescape(re.search(r'href="([^"]*)">All of them', story)[1])
    found = text_of(site.get(link))
    assert "50 or more found" in found
    assert found.count(" none ") == 50


def test_names_the_commands_that_say_what_it_was_and_what_each_does(story):
    text = text_of(story)
    for name, effect in (("real", "a fault"), ("noise", "a false page"), ("accept", "the new normal")):
        assert f"driftline ack a1b2c3d4e5f6 --{name} --note '...' {effect}" in text


def test_names_the_runbook_of_what_drifted(story):
    assert 'href="/runbooks/DriftlineDataDrift"' in story


def test_an_incident_that_is_over_says_until_when_and_shows_its_feature_as_it_was(site):
    shown = site.get("/incidents/0f0f0f0f0f0f")
    assert "is over" in text_of(shown)
    assert "11 Jul 2013, 14:00 UTC to 12 Jul 2013, 01:00 UTC (11 h)" in text_of(shown)
    link = html.unescape(re.search(r'href="([^"]*features/carrier[^"]*)"', shown)[1])
    assert "as it was at 12 Jul 2013, 01:00 UTC" in text_of(site.get(link))


def test_the_beginning_of_an_id_is_enough(site):
    assert "incident a1b2c3d4e5f6" in text_of(site.get("/incidents/a1b2"))


def test_an_incident_that_was_taken_back_says_so(site):
    assert "was taken back" in text_of(site.get("/incidents/dddddddddddd"))


def test_an_unknown_incident_is_a_404_that_says_so(site):
    assert "There is no incident 'zz'" in text_of(site.get("/incidents/zz", status=404))


ODD_VALUE = "a \\ b 'c' \"d\"\ne"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"channel": Channel(ChannelKind.NULLS)}, {"is_missing": True}),
        ({"channel": Channel(ChannelKind.NULLS), "effect": -0.3}, {}),
        ({"channel": Channel(ChannelKind.AT_MOST, 23.4)}, {"high": 23.4}),
        ({"channel": Channel(ChannelKind.AT_MOST, -1000.0), "effect": -0.3}, {"low": -1000.0}),
        ({"channel": Channel(ChannelKind.VALUE, "DAL")}, {"value": "DAL"}),
        ({"channel": Channel(ChannelKind.VALUE, "it's")}, {"value": "it's"}),
        ({"channel": Channel(ChannelKind.VALUE, "DAL"), "effect": -0.3}, {}),
        ({"channel": Channel(ChannelKind.NANS)}, {"value": "nan"}),
        ({"channel": Channel(ChannelKind.INFINITIES)}, {"value": "inf"}),
        ({"channel": Channel(ChannelKind.STUCK)}, {}),
        ({"channel": Channel(ChannelKind.AT_MOST, 24902.31)}, {"high": 24902.31}),
        ({"channel": Channel(ChannelKind.VALUE, ODD_VALUE)}, {"value": ODD_VALUE}),
        ({"channel": Channel(ChannelKind.VALUE, "")}, {"value": ""}),
        ({"channel": Channel(ChannelKind.TYPE_CHANGED, "categorical")}, {"kind": "categorical"}),
        ({"channel": Channel(ChannelKind.NEVER_SEEN), "segment": "origin=JFK"}, {"part": "origin=JFK"}),
    ],
)
def test_examples_are_of_the_side_that_grew(changes, wanted):
    finding = of_incident(page("temp", END, SINCE, **changes).verdict)
    of_hours = {"since": hour_time(SINCE), "until": hour_time(END), "feature": "temp"}
    assert example_filter(finding, SINCE, END) == Filter(**of_hours, **wanted)


def test_times_of_the_explorer_are_reported_in_utc(story):
    link = html.unescape(re.search(r'href="([^"]*)">All of them', story)[1])
    since = datetime(2013, 7, 19, 10, tzinfo=UTC)
    assert f"since={since:%Y-%m-%dT%H}%3A00" in link
