"""Verdicts as a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.verdict_table import NUMBER, NUMBERS, TEXTS, Subject, Verdicts
from driftline.domain.verdicts import Verdict, VerdictName

QUIET = Verdict(
    feature="age",
    kind="numeric",
    reference="production",
    scale_hours=6,
    window_start=100,
    window_end=106,
    verdict=VerdictName.OK,
    channel=Channel(ChannelKind.AT_MOST, 5.25),
    effect=0.25 - 0.5,
    effect_low=-0.3,
    effect_high=-0.2,
    expected=0.5,
    observed=0.25,
    z=1.5,
    critical=4.0,
    overdispersion=2.0,
    freedom=30.0,
    sample_size=400,
    reference_size=1600,
    completeness=0.75,
    statistics={
        "psi": 0.1,
        "js": 0.2,
        "ks": 0.3,
        "ks_p_value": None,
        "wasserstein": 7.0,
        "wasserstein_normed": 0.5,
    },
    rank=1,
    reason="nothing moved",
    segment="carrier=DL",
)
LEARNING = Verdict(
    feature="carrier",
    kind="categorical",
    reference="production",
    scale_hours=1,
    window_start=105,
    window_end=106,
    verdict=VerdictName.LEARNING,
    sample_size=400,
    reason="too young",
)
PAGE = replace(
    QUIET,
    feature="fare",
    verdict=VerdictName.PAGE,
    episode_id="e",
    episode_start=100,
    drivers={"carrier=DL": 0.8},
    revision=2,
    revised_because="events came late",
)


def as_arrays(verdicts):
    """Return a table of these verdicts, none of which exists as an object."""
    table = Verdicts.of(verdicts)
    return Verdicts(table.numbers, table.texts)


@pytest.mark.parametrize("verdict", [QUIET, LEARNING, replace(QUIET, detectable_effect=0.02, listed=True)])
def test_a_verdict_comes_back_from_the_arrays_as_it_was(verdict):
    assert list(as_arrays([verdict])) == [verdict]
    assert as_arrays([verdict])[0] == verdict


def test_what_only_some_verdicts_have_is_kept_with_these():
    """An episode, drivers and a revision."""
    assert list(Verdicts.of([QUIET, PAGE])) == [QUIET, PAGE]
    assert Verdicts.of([QUIET, PAGE]).changed == [PAGE]


def test_a_table_is_equal_to_a_list_of_the_same_verdicts():
    assert as_arrays([QUIET, LEARNING]) == [QUIET, LEARNING]
    assert as_arrays([QUIET, LEARNING]) != [LEARNING, QUIET]
    assert as_arrays([QUIET]) != "age"


def test_tables_join_in_their_order_and_keep_their_objects_at_the_new_places():
    joined = Verdicts.joined([as_arrays([QUIET]), Verdicts.of(()), as_arrays([LEARNING]).replaced({0: PAGE})])
    assert joined == [QUIET, PAGE]
    assert joined.own == {1: PAGE}
    assert Verdicts.joined([]) == []


def test_replacing_a_verdict_changes_the_arrays_and_not_the_table_it_came_from():
    first = as_arrays([QUIET, LEARNING])
    second = first.replaced({1: PAGE})
    assert second == [QUIET, PAGE]
    assert first == [QUIET, LEARNING]
    assert second.column("verdict").tolist() == ["ok", "page"]
    assert second.column("observed").tolist() == [0.25, 0.25]


def test_verdicts_are_chosen_by_a_column():
    table = as_arrays([QUIET, LEARNING, QUIET]).replaced({2: PAGE})
    chosen = table.where("segment", "carrier=DL")
    assert chosen == [QUIET, PAGE]
    assert chosen.own == {1: PAGE}
    assert table.where("window_end", 7) == []


def test_verdicts_on_a_subject_are_found_in_every_part_of_the_traffic():
    table = as_arrays([QUIET, LEARNING, replace(QUIET, segment="")])
    assert table.places([Subject.of(QUIET)]) == [0, 2]
    assert table.places([Subject("age", "numeric", "production", 1)]) == []
    assert table.places([]) == []


def test_verdicts_are_counted_by_what_they_come_to():
    assert as_arrays([QUIET, LEARNING, QUIET]).replaced({0: PAGE}).counted() == {
        "ok": 1,
        "learning": 1,
        "page": 1,
    }


def test_places_count_from_the_end_too_and_end_where_the_table_does():
    table = as_arrays([QUIET, LEARNING])
    assert table[-1] == LEARNING
    assert table[:1] == [QUIET]
    with pytest.raises(IndexError):
        table[2]


def test_the_columns_are_those_that_are_named():
    table = Verdicts.of([QUIET])
    assert table.numbers.shape == (1, len(NUMBERS))
    assert table.texts.shape == (1, len(TEXTS))
    assert table.numbers[0, NUMBER["sample_size"]] == 400
    assert np.isnan(table.numbers[0, NUMBER["chi2"]])
