"""Which part of the traffic a drift comes from, and which parts only show it too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.verdicts import VerdictName
from driftline.drift import DriftSettings, Verdict
from driftline.drift.segments import name_drivers, segment_settings, whole_settings

CUT = Channel(ChannelKind.AT_MOST, 5.2)


def verdict(segment="", **changes):
    """A page on `amount` in a window of 10,000 rows, 2,000 of them in each segment."""
    fields = {
        "feature": "amount",
        "kind": "numeric",
        "reference": "production",
        "scale_hours": 1,
        "window_start": 100,
        "window_end": 101,
        "verdict": "page",
        "channel": CUT,
        "effect": 0.1,
        "sample_size": 2000 if segment else 10_000,
        "episode_id": "e" if segment else "w",
        "episode_start": 100,
        "reason": "it moved",
        "segment": segment,
    }
    reported = {**fields, **changes}
    return Verdict(**{**reported, "verdict": VerdictName(reported["verdict"])})


def quiet(segment, effect=0.0, **changes):
    shape = {"verdict": "ok", "effect": effect, "effect_low": effect - 0.02, "effect_high": effect + 0.02}
    return verdict(segment, **{**shape, "episode_id": None, "episode_start": None, **changes})


def states(reported):
    return {one.segment: one.verdict for one in reported.segments}


def test_the_budget_is_split_in_halves_and_the_second_among_the_segments():
    settings = DriftSettings(page_budget_hours=1000)
    assert whole_settings(settings, 50).page_budget_hours == 2000
    assert segment_settings(settings, 50).page_budget_hours == 100_000
    halves = 1 / whole_settings(settings, 7).page_budget_hours
    assert halves + 7 / segment_settings(settings, 7).page_budget_hours == pytest.approx(1 / 1000)
    assert whole_settings(settings, 0) == settings


def test_the_segment_that_drifts_is_named_with_its_share_of_the_shift():
    reported = name_drivers([verdict()], [verdict("carrier=DL", effect=0.4), quiet("carrier=UA", 0.001)])
    (whole,) = reported.whole
    assert whole.drivers == {"carrier=DL": pytest.approx(0.8)}
    assert whole.reason == "it moved; driven by carrier=DL: 80% of the shift"
    assert states(reported) == {"carrier=DL": "page", "carrier=UA": "ok"}


def test_a_drift_of_all_parts_is_reported_for_the_whole_alone():
    parts = [verdict(f"carrier={name}", effect=0.1) for name in ("DL", "UA", "AA", "B6")]
    reported = name_drivers([verdict()], parts)
    assert reported.whole[0].drivers == {}
    assert set(states(reported).values()) == {"warn"}
    assert all("reported for the whole traffic" in one.reason for one in reported.segments)
    assert all(one.episode_id == "e" and one.episode_start == 100 for one in reported.segments)


def test_a_segment_that_overlaps_the_one_that_drifts_is_not_reported():
    """Of the flights from Atlanta half are Delta's: what happens to Delta shows there, thinned."""
    reported = name_drivers(
        [verdict(effect=0.08)],
        [verdict("carrier=DL", effect=0.4), verdict("origin=ATL", effect=0.2), quiet("origin=EWR", 0.05)],
    )
    assert states(reported) == {"carrier=DL": "page", "origin=ATL": "warn", "origin=EWR": "ok"}
    assert "reported for carrier=DL" in reported.segments[1].reason
    assert reported.whole[0].drivers == {"carrier=DL": pytest.approx(1.0)}


def test_a_small_segment_stands_by_itself_while_the_whole_is_quiet():
    reported = name_drivers(
        [quiet("", 0.004)], [verdict("tenant=a", effect=0.3, sample_size=200), quiet("tenant=b")]
    )
    assert states(reported) == {"tenant=a": "page", "tenant=b": "ok"}
    assert reported.whole[0].drivers == {}


def test_a_segment_with_a_drift_of_its_own_is_reported_beside_a_larger_one():
    reported = name_drivers(
        [verdict()],
        [verdict("carrier=DL", effect=0.45), verdict("carrier=AS", effect=0.3, sample_size=100)],
    )
    assert states(reported) == {"carrier=DL": "page", "carrier=AS": "page"}
    assert reported.whole[0].drivers == {"carrier=DL": pytest.approx(0.9)}


def test_several_segments_that_drive_a_drift_are_ranked():
    reported = name_drivers(
        [verdict(effect=0.2)],
        [verdict("carrier=DL", effect=0.4), verdict("carrier=UA", effect=0.6), quiet("carrier=AA")],
    )
    assert list(reported.whole[0].drivers) == ["carrier=UA", "carrier=DL"]
    assert "carrier=UA: 60% of the shift, carrier=DL: 40% of the shift" in reported.whole[0].reason


def test_a_segment_that_only_surely_moved_is_named_though_it_does_not_page():
    moved = quiet("carrier=DL", 0.4)
    assert name_drivers([verdict()], [moved]).whole[0].drivers == {"carrier=DL": pytest.approx(0.8)}
    unsure = replace(moved, effect_low=-0.1, effect_high=0.9)
    assert name_drivers([verdict()], [unsure]).whole[0].drivers == {}


def test_another_channel_is_another_drift():
    """Nulls in one segment do not explain why the values of all others moved."""
    reported = name_drivers(
        [verdict()], [verdict("carrier=DL", channel=Channel(ChannelKind.NULLS), effect=0.5)]
    )
    assert reported.whole[0].drivers == {}
    assert states(reported) == {"carrier=DL": "page"}


def test_shares_of_different_cuts_are_one_channel_and_other_channels_need_one_sign():
    other_cut = verdict("carrier=DL", channel=Channel(ChannelKind.AT_MOST, 7.0), effect=-0.4)
    assert name_drivers([verdict()], [other_cut]).whole[0].drivers == {"carrier=DL": pytest.approx(0.8)}
    nulls = verdict(channel=Channel(ChannelKind.NULLS))
    fewer = verdict("carrier=DL", channel=Channel(ChannelKind.NULLS), effect=-0.4)
    assert name_drivers([nulls], [fewer]).whole[0].drivers == {}


def test_each_window_feature_and_reference_is_put_beside_its_own():
    reported = name_drivers(
        [verdict(), verdict(scale_hours=6), verdict(feature="age"), verdict(reference="training")],
        [verdict("carrier=DL", effect=0.4)],
    )
    assert [bool(one.drivers) for one in reported.whole] == [True, False, False, False]


def test_no_verdict_is_lost():
    segments = [verdict("carrier=DL"), verdict("carrier=DL", feature="only here"), quiet("origin=EWR")]
    reported = name_drivers([verdict()], segments)
    assert sorted((one.segment, one.feature) for one in reported.segments) == sorted(
        (one.segment, one.feature) for one in segments
    )


def test_a_window_without_evidence_drives_nothing():
    young = verdict("carrier=DL", verdict="learning", channel=None, effect=None)
    reported = name_drivers([verdict(), verdict(feature="age", effect=None, channel=None)], [young])
    assert [one.drivers for one in reported.whole] == [{}, {}]
    assert states(reported) == {"carrier=DL": "learning"}
