"""Episodes of one cause are one story."""

from __future__ import annotations

import dataclasses

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.streams import Stream
from driftline.web.views.stories import gather
from tests.web.episode import EPISODE, plain


def episode(feature, since=100, until=110, **changes):
    return dataclasses.replace(EPISODE, feature=feature, since=since, until=until, **changes)


def shown(episodes):
    return [([each.feature for each in story.episodes], story.since) for story in gather(episodes)]


def test_nothing_is_no_story():
    assert gather([]) == []


def test_features_that_fail_alike_at_the_same_time_are_one_story():
    assert shown([episode("temp", 101), episode("dewp", 100), episode("humid", 103)]) == [
        (["dewp", "humid", "temp"], 100)
    ]


def test_features_that_moved_in_other_ways_or_later_stand_apart():
    later = episode("dewp", 107, effect=0.2)
    other = episode("carrier", 100, channel=Channel(ChannelKind.VALUE, "DL"), effect=0.1)
    assert shown([episode("temp", 100), later, other]) == [
        (["temp"], 100),
        (["dewp"], 107),
        (["carrier"], 100),
    ]


def test_a_feature_that_pages_against_both_references_is_reported_once_as_against_production():
    both = [
        episode("temp", 100, reference="training", expected=0.5),
        episode("temp", 104, reference="production", expected=0.01),
    ]
    (story,) = gather(both)
    assert len(story.episodes) == 1
    assert story.episodes[0].expected == 0.01
    assert story.since == 104
    assert story.against == "the same hours of past weeks and the training data"


def test_two_episodes_of_one_feature_at_different_times_are_two():
    assert shown([episode("temp", 100, 110, is_open=False), episode("temp", 200, 210, is_open=False)]) == [
        (["temp"], 200),
        (["temp"], 100),
    ]


def test_what_goes_on_comes_first_by_effect_then_the_past_the_newest_first():
    found = gather(
        [
            episode("old", 10, 20, is_open=False, effect=0.9),
            episode("small", 100, effect=0.1),
            episode("large", 50, channel=Channel(ChannelKind.STUCK), effect=-0.8),
            episode("newer", 30, 40, is_open=False),
        ]
    )
    assert [story.episodes[0].feature for story in found] == ["large", "small", "newer", "old"]


def test_versions_and_segments_are_not_mixed():
    shadow = episode("dewp", stream=Stream("m", "2", "shadow"))
    segment = episode("humid", segment="origin=JFK")
    assert len(gather([episode("temp"), shadow, segment])) == 3


def test_findings_that_differ_are_reported_feature_by_feature():
    (story,) = gather([episode("temp"), episode("dewp", observed=0.5, effect=0.49)])
    assert (
        plain(story.finding) == "dewp: nulls rose from 1.0 % to 50.0 %; temp: nulls rose from 1.0 % to 31.0 %"
    )


def test_episodes_of_one_incident_are_one_story_whatever_moved_and_whenever():
    incident = {"incident_id": "aa11", "acknowledged": "real"}
    found = gather(
        [
            episode("temp", 100, **incident),
            episode(
                "dewp", 130, channel=Channel(ChannelKind.STUCK), effect=0.9, segment="origin=JFK", **incident
            ),
            episode("humid", 100),
            episode("wind", 101, incident_id="bb22"),
        ]
    )
    shown = [([each.feature for each in story.episodes], story.incident_id) for story in found]
    assert sorted(shown) == [(["dewp", "temp"], "aa11"), (["humid"], ""), (["wind"], "bb22")]
    assert [story.acknowledged for story in found if story.incident_id == "aa11"] == ["real"]


def test_a_feature_that_another_incident_names_as_well_stands_in_both():
    found = gather([episode("temp", 100, incident_id="aa11"), episode("temp", 105, incident_id="bb22")])
    assert sorted(story.incident_id for story in found) == ["aa11", "bb22"]
