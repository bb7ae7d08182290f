"""Features that change their type: a number that becomes a text, or the other way round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.streams import Stream
from driftline.domain.verdicts import other_kind
from driftline.drift import DriftSettings
from driftline.drift.incidents.book import IncidentBook
from driftline.profiles import CategoricalCounts
from tests.drift.conftest import GRIDS, numeric_counts
from tests.drift.judging import LEARNED, judge_with_history, pages


def as_text(profile):
    """Age comes as text."""
    return replace(
        profile,
        numeric={name: counts for name, counts in profile.numeric.items() if name != "age"},
        categorical={
            **profile.categorical,
            "age": CategoricalCounts({"young": 150, "old": profile.rows - 150}),
        },
    )


def as_number(profile):
    """City comes as a number."""
    numbers = np.arange(profile.rows) % 3 + 0.0
    return replace(
        profile,
        numeric={**profile.numeric, "city": numeric_counts(GRIDS["age"], numbers, profile.rows)},
        categorical={},
    )


@pytest.mark.parametrize(
    ("change", "feature", "kind"), [(as_text, "age", "numeric"), (as_number, "city", "categorical")]
)
def test_a_feature_that_changes_its_type_is_one_incident_that_says_so(traffic, grids, change, feature, kind):
    instead = other_kind(kind)
    judge = judge_with_history(traffic, grids)
    book = IncidentBook(Stream("m", "1", "production"), settings=DriftSettings())
    for hour in range(LEARNED, LEARNED + 30):
        verdicts = judge.judge(change(traffic.hour(hour)))
        book.take(hour, verdicts)
        found = pages(verdicts)
        assert {(v.feature, v.kind, v.channel) for v in found} == {
            (feature, kind, Channel(ChannelKind.TYPE_CHANGED, instead))
        }
        assert {v.verdict for v in verdicts if (v.feature, v.kind) == (feature, instead)} == {"learning"}
    (incident,) = book.incidents
    reported = "text instead of numbers" if instead == "categorical" else "numbers instead of text"
    assert incident.headline == f"{feature}: type changed, {reported} in 100.00% of rows"


def test_values_that_are_missing_are_no_change_of_type(traffic, grids):
    judge = judge_with_history(traffic, grids)
    lacking = traffic.hour(LEARNED, lambda columns: {**columns, "age": columns["age"] * np.nan})
    found = pages(judge.judge(lacking))
    assert {v.channel.kind for v in found} == {ChannelKind.NULLS}
