"""Verdicts as they stand in the store: as exact as they have to be, and not more."""

from __future__ import annotations

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.streams import Stream
from driftline.domain.verdicts import Verdict
from driftline.drift.service.pipeline import as_kept
from driftline.store.verdicts import read_episode_verdicts, write_verdicts
from tests.drift.service.watching import opened_landing

END = 490_000
STREAM = Stream("kept", "1", "production")

INCIDENT = Verdict(
    feature="amount",
    kind="numeric",
    reference="production",
    scale_hours=6,
    window_start=END - 6,
    window_end=END,
    verdict="page",
    channel=Channel(ChannelKind.NULLS),
    observed=1 / 3,
    expected=0.123456789,
    effect=1 / 3 - 0.123456789,
    effect_low=0.2012345,
    effect_high=0.2323456,
    z=12.345678,
    critical=5.4321,
    overdispersion=1.2345,
    freedom=23.456,
    detectable_effect=0.0123456,
    sample_size=300,
    reference_size=9000,
    episode_id="e1",
    episode_start=END - 3,
)


def test_a_verdict_that_was_brought_to_what_is_kept_stays_as_it_is():
    once = as_kept(INCIDENT)
    assert once != INCIDENT
    assert as_kept(once) == once
    assert once.effect == once.observed - once.expected


def test_what_could_not_be_compared_is_kept_as_nothing():
    learning = Verdict(
        feature="amount",
        kind="numeric",
        reference="production",
        scale_hours=1,
        window_start=END - 1,
        window_end=END,
        verdict="learning",
    )
    assert as_kept(learning) is learning


def test_an_incident_has_the_same_evidence_before_and_after_a_restart(tmp_path):
    given = as_kept(INCIDENT)
    with opened_landing(tmp_path) as landing:
        write_verdicts(landing.client, STREAM, [given])
        (found,) = read_episode_verdicts(landing.client, STREAM, after_hour=END - 1, until_hour=END)
    names = ("channel", "effect", "expected", "observed", "z", "episode_id", "episode_start")
    assert {name: getattr(found, name) for name in names} == {name: getattr(given, name) for name in names}
