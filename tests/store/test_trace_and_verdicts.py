"""Verdicts as they are written and read, and one prediction followed to all that is known of it."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest

from driftline.domain.channels import Channel, ChannelKind, channel_row
from driftline.domain.hours import hour_time
from driftline.domain.streams import Stream
from driftline.drift.service.late import is_same
from driftline.errors import NotFoundError, SettingError
from driftline.store.summary import read_page_verdicts
from driftline.store.trace import trace
from driftline.store.verdicts import (
    JudgedHour,
    last_judged_hour,
    read_episode_verdicts,
    read_judged_hours,
    read_verdicts,
    read_windows,
    write_judged_hours,
    write_verdicts,
)
from tests.store.stored_verdict import HOUR, VERDICT
from tests.support.landing import put
from tests.support.traffic import make_logger


def ending(verdict, end):
    """The same on the window that ends with another hour."""
    return replace(verdict, window_start=end - verdict.scale_hours, window_end=end)


def stream_of(model):
    return Stream(model, "3", "production")


def write(client, verdicts, model="judged"):
    write_verdicts(client, stream_of(model), verdicts)


def as_read(verdict):
    """Times come back without a zone: all of them are UTC."""
    kind, value, feature = channel_row(verdict.channel)
    plain = stream_of("judged")._asdict() | asdict(verdict)
    plain |= {"channel_kind": kind, "channel_value": value, "channel_feature": feature}
    plain["channel"] = None if verdict.channel is None else verdict.channel.text
    for name in ("window_start", "window_end", "episode_start"):
        plain[name] = None if plain[name] is None else hour_time(plain[name]).replace(tzinfo=None)
    return plain


def read(client, **conditions):
    rows = read_verdicts(client, **{"model_name": "judged", **conditions})
    return [{name: value for name, value in row.items() if name != "judged_at"} for row in rows]


def test_a_verdict_is_read_as_it_was_written(client):
    empty = replace(
        VERDICT, feature="age", verdict="insufficient_data", statistics={}, rank=None, listed=False
    )
    names = "channel effect effect_low effect_high expected observed z critical overdispersion freedom"
    empty = replace(
        empty, **dict.fromkeys([*names.split(), "detectable_effect", "episode_id", "episode_start"])
    )
    write(client, [VERDICT, empty])
    assert sorted(read(client), key=lambda row: row["feature"]) == [as_read(empty), as_read(VERDICT)]
    write(client, [])


def test_figures_are_kept_to_three_digits_and_shares_to_a_hundredth_of_a_percent(client):
    numbers = {"effect_low": 0.123456, "z": 12.345678, "critical": 5.4321, "detectable_effect": 1.23456e-5}
    exact = replace(VERDICT, expected=0.4321987, observed=0.321, **numbers)
    exact = replace(exact, effect=exact.observed - exact.expected)
    exact = replace(exact, statistics={"psi": 0.0123456, "ks_p_value": 1e-310, "wasserstein": 123.456})
    write(client, [exact], "exact")
    (row,) = read(client, model_name="exact")
    for name, number in numbers.items():
        assert row[name] == pytest.approx(number, rel=1e-3)
    assert row["expected"] == pytest.approx(exact.expected, abs=1e-5)
    assert row["observed"] == exact.observed
    assert row["effect"] == row["observed"] - row["expected"]
    assert row["statistics"] == pytest.approx(exact.statistics, rel=2e-3, abs=1e-30)
    (again,) = read_windows(client, Stream("exact", "3", "production"), first_end=HOUR, last_end=HOUR + 6)
    assert is_same(again, exact)
    assert not is_same(again, replace(exact, z=12.4))
    assert not is_same(again, replace(exact, expected=0.4322987))
    write(client, [replace(again, revision=2)], "exact")
    (twice,) = read(client, model_name="exact")
    assert twice == {**row, "revision": 2}


def test_a_reason_is_read_with_the_figures_of_its_verdict(client):
    form = "{channel}: {observed} where past weeks lead to expect {expected}; {detectable} would have paged"
    shown = replace(VERDICT, channel=Channel(ChannelKind.VALUE, "{expected}"), reason=form)
    nothing = replace(shown, feature="none", channel=None, effect=None, expected=None, observed=None)
    nothing = replace(nothing, reason="3 events in 6 h, 30 are needed")
    write(client, [shown, nothing], "shown")
    assert {row["reason"] for row in read(client, model_name="shown")} == {
        "value '{expected}': 75.00% where past weeks lead to expect 50.00%; 1.6% would have paged",
        "3 events in 6 h, 30 are needed",
    }


def test_a_verdict_that_is_written_again_replaces_the_earlier_one(client):
    later = replace(VERDICT, verdict="ok", revision=2)
    write(client, [later], "revised")
    write(client, [VERDICT], "revised")
    assert [row["verdict"] for row in read(client, model_name="revised")] == ["ok"]


def test_verdicts_are_chosen_by_time_and_name_the_newest_first(client):
    write(client, [ending(VERDICT, HOUR + end) for end in (7, 9, 8)], "chosen")
    ends = [row["window_end"] for row in read(client, model_name="chosen")]
    assert ends == sorted(ends, reverse=True)
    since = hour_time(HOUR + 8)
    assert [row["window_end"] for row in read(client, model_name="chosen", since=since)] == ends[:1]
    assert len(read(client, model_name="chosen", limit=2)) == 2
    assert read(client, model_name="chosen", verdicts=["warn"]) == []
    assert last_judged_hour(client, Stream("chosen", "3", "production")) == HOUR + 9
    assert last_judged_hour(client, Stream("chosen", "4", "production")) is None


def test_windows_are_read_as_they_were_written_and_only_those_that_end_between_two_hours(client):
    ended = replace(VERDICT, revision=2, revised_because="3 events arrived late")
    ended = [ending(ended, HOUR + end) for end in (5, 6, 7, 8)]
    write(client, ended, "windows")
    stream = Stream("windows", "3", "production")
    found = read_windows(client, stream, first_end=HOUR + 6, last_end=HOUR + 7)
    assert sorted(found, key=lambda one: one.window_end) == ended[1:3]


def test_verdicts_of_episodes_are_read_with_their_evidence_or_those_that_page_alone(client):
    quiet = replace(VERDICT, feature="quiet", verdict="ok", episode_id=None, episode_start=None)
    after = replace(VERDICT, feature="after", verdict="ok", segment="city=Bergen")
    write(client, [VERDICT, quiet, after], "episodes")

    def found(**options):
        stream = Stream("episodes", "3", "production")
        bounds = {"after_hour": HOUR + 5, "until_hour": HOUR + 6}
        return read_episode_verdicts(client, stream, **{**bounds, **options})

    assert {each.feature for each in found()} == {"amount", "after"}
    (paging,) = found(verdict="page")
    shown = {
        name: getattr(paging, name) for name in ("segment", "channel", "z", "window_start", "episode_start")
    }
    assert shown == {
        "segment": "",
        "channel": Channel(ChannelKind.AT_MOST, 5.0),
        "z": 9.0,
        "window_start": HOUR,
        "episode_start": HOUR + 5,
    }
    assert found(after_hour=HOUR + 6, until_hour=HOUR + 9) == found(until_hour=HOUR + 5) == []


def test_what_hours_were_judged_on_is_read_by_their_newest_revision(client):
    stream = Stream("judged", "3", "production")
    hours = [JudgedHour(HOUR + hour, 10 + hour, 0.5) for hour in range(5)]
    assert read_judged_hours(client, stream, hours=5) == {}
    write_judged_hours(client, stream, hours)
    write_judged_hours(client, stream, [replace(hours[3], rows=20, missing=0.0, revision=2)])
    write_judged_hours(client, stream, [])
    assert read_judged_hours(client, stream, hours=2) == {
        HOUR + 3: JudgedHour(HOUR + 3, 20, 0.0, 2),
        HOUR + 4: hours[4],
    }
    assert read_judged_hours(client, stream._replace(model_version="4"), hours=5) == {}


def test_a_prediction_is_traced_to_its_outcomes_and_to_findings_of_its_windows(landing, client):
    time = hour_time(HOUR + 3)
    (event_id,) = put(landing, [{"features": {"amount": 3.5}, "event_time": time}], model_name="traced")
    quiet = replace(VERDICT, feature="quiet", verdict="ok")
    write(client, [VERDICT, quiet, ending(VERDICT, HOUR + 10)], "traced")
    traced = trace(client, event_id.upper())
    assert str(traced["prediction"]["event_id"]) == event_id
    assert traced["prediction"]["numeric_features"] == {"amount": 3.5}
    assert traced["training_run"] is None
    assert traced["outcomes"] == []
    assert [(row["feature"], row["window_end"]) for row in traced["verdicts"]] == [
        ("amount", hour_time(HOUR + 6).replace(tzinfo=None))
    ]


def test_the_outcome_that_counts_comes_last(landing, client):
    """A correction that was observed earlier is one all the same: it was logged later."""
    (event_id,) = put(landing, [{"prediction": 0.5}], model_name="corrected")
    now = datetime(2026, 2, 1, tzinfo=UTC)
    with make_logger(landing.log) as logger:
        logger.log_outcome(event_id, actual=1, observed_time=now)
        logger.log_outcome(event_id, actual=0, observed_time=now - timedelta(days=1))
    landing.land()
    assert [outcome["actual_number"] for outcome in trace(client, event_id)["outcomes"]] == [1.0, 0.0]


def test_what_never_landed_is_not_found_and_no_id_is_refused(client):
    with pytest.raises(NotFoundError, match="completeness"):
        trace(client, "01890000-0000-7000-8000-000000000000")
    with pytest.raises(SettingError, match="no UUID"):
        trace(client, "17; DROP TABLE predictions")


WITH_VALUE = {
    ChannelKind.AT_MOST,
    ChannelKind.VALUE,
    ChannelKind.TYPE_CHANGED,
    ChannelKind.UNIT_CHANGED,
}
ODD_CHANNELS = [
    *(Channel(ChannelKind.TYPE_CHANGED, kind) for kind in ("numeric", "categorical")),
    Channel(ChannelKind.UNIT_CHANGED, "multiplied by 60, as minutes to seconds"),
    *(Channel(kind) for kind in ChannelKind if kind not in WITH_VALUE),
    *(Channel(ChannelKind.VALUE, value) for value in ("", "it's", 'a "b" \\ c', "line\nfeed", "{expected}")),
    *(Channel(ChannelKind.AT_MOST, cut) for cut in (24902.31, 0.0, -0.0123456, 5.5, 2490200.5, -1000.0)),
    Channel(ChannelKind.TOGETHER, feature="distance above 3 and carrier=DL"),
]


def test_the_store_describes_channels_as_we_describe_them(client):
    shown = [
        replace(VERDICT, feature=f"{place:02}", channel=channel, reason="{channel}")
        for place, channel in enumerate(ODD_CHANNELS)
    ]
    write(client, shown, "channels")
    rows = sorted(read(client, model_name="channels"), key=lambda row: row["feature"])
    assert [row["channel"] for row in rows] == [channel.text for channel in ODD_CHANNELS]
    assert [row["reason"] for row in rows] == [channel.text for channel in ODD_CHANNELS]
    windows = read_windows(client, Stream("channels", "3", "production"), first_end=HOUR, last_end=HOUR + 6)
    assert sorted(windows, key=lambda each: each.feature) == shown


def test_verdicts_on_a_number_and_on_a_text_of_one_name_stand_side_by_side(client):
    text = replace(VERDICT, kind="categorical", verdict="learning", channel=Channel(ChannelKind.NULLS))
    write(client, [VERDICT], "two-kinds")
    write(client, [text], "two-kinds")
    found = {(row["kind"], row["verdict"]) for row in read(client, model_name="two-kinds")}
    assert found == {("numeric", "page"), ("categorical", "learning")}


def test_of_verdicts_that_page_at_once_that_of_the_whole_traffic_comes_first(client):
    """Whichever was written first: of one store the demo's summary is the same each time."""
    whole, part = (
        replace(VERDICT, reason=reason, segment=of) for reason, of in (("whole", ""), ("part", "a=b"))
    )
    for model, written in (("first-whole", [whole, part]), ("first-part", [part, whole])):
        for verdict in written:
            write(client, [verdict], model)
    reasons = [each.reason for each in read_page_verdicts(client) if each.reason in {"whole", "part"}]
    assert reasons == ["whole", "whole", "part", "part"]
