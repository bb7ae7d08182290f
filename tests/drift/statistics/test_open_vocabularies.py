"""Categories without end: ids, search terms, postcodes. Drawn from one law, they never page."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from driftline.domain.channels import ChannelKind
from driftline.drift import Judge
from driftline.drift.statistics.vocabulary import Vocabulary
from driftline.profiles import HASH_PLACES, CategoricalCounts, HourProfile
from tests.drift.conftest import START, WEEK

NAMED = 256
"""So many values keep their names in an hour, as profiles have it."""

LEARNED = START + 4 * WEEK + 48
VOCABULARY = Vocabulary()


def profile(hour, values):
    ordered = sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))
    named = dict(ordered[:NAMED])
    folded = len(values) - sum(named.values())
    hashed = [0] * HASH_PLACES
    has_places = folded and len(values) >= 1.25 * len(ordered)
    for value, count in ordered if has_places else ():
        hashed[VOCABULARY.key(value) % HASH_PLACES] += count
    counts = CategoricalCounts(named, 0, folded, tuple(hashed) if has_places else ())
    return HourProfile(hour, len(values), {}, {"term": counts})


def ids(rng, hour, rows):
    return [f"{hour}-{row}" for row in rng.permutation(rows)]


def few_and_new(rng, hour, rows):
    return [
        f"t{rng.integers(40)}" if chance > 0.03 else f"{hour}-{row}"
        for row, chance in enumerate(rng.random(rows))
    ]


def skus(rng, _hour, rows):
    return [f"s{number}" for number in rng.integers(0, 2000, rows)]


def postcodes(rng, _hour, rows):
    return [f"p{number}" for number in rng.integers(0, 30_000, rows)]


def zipf(rng, _hour, rows):
    return [f"u{number}" for number in rng.zipf(1.3, rows)]


def steady(_hour):
    return 60


def busy_days(hour):
    """Nights with fewer events than an hour names values, days with many times as many."""
    return 1200 if hour % 24 >= 8 else 120


def growing(hour):
    """Four times as many events as in the weeks before, from when they are judged on."""
    return 2000 if hour >= LEARNED else 500


def judged(draw, rows_of, hours=72):
    rng = np.random.default_rng(5)
    judge = Judge(grids={}, identity="m")
    for hour in range(START, LEARNED):
        judge.remember(profile(hour, draw(rng, hour, rows_of(hour))))
    return [
        verdict
        for hour in range(LEARNED, LEARNED + hours)
        for verdict in judge.judge(profile(hour, draw(rng, hour, rows_of(hour))))
    ]


@pytest.mark.parametrize("draw", [ids, few_and_new, skus, postcodes, zipf])
def test_an_open_vocabulary_of_one_law_stays_silent(draw):
    verdicts = judged(draw, steady)
    assert {verdict.verdict for verdict in verdicts} == {"ok"}
    assert all(verdict.statistics["psi"] < 0.5 for verdict in verdicts if verdict.scale_hours == 24)


@pytest.mark.parametrize("rows_of", [busy_days, growing])
def test_how_many_values_an_hour_names_makes_no_difference_to_ids(rows_of):
    assert not [verdict for verdict in judged(ids, rows_of, 30) if verdict.verdict == "page"]


def test_values_that_are_not_named_are_no_nulls():
    judge = Judge(grids={}, identity="m")
    rng = np.random.default_rng(5)
    for hour in range(START, LEARNED):
        judge.remember(profile(hour, ids(rng, hour, 300)))
    half = [value if place % 2 else None for place, value in enumerate(ids(rng, LEARNED, 4000))]
    kept = profile(LEARNED, [value for value in half if value is not None])
    verdicts = judge.judge(HourProfile(LEARNED, 4000, {}, kept.categorical))
    found = [v for v in verdicts if v.verdict == "page" and v.scale_hours == 1]
    assert [(v.channel.kind, v.observed) for v in found] == [(ChannelKind.NULLS, 0.5)]


def test_new_values_are_found_where_the_vocabulary_is_closed():
    rng = np.random.default_rng(5)
    judge = Judge(grids={}, identity="m")
    for hour in range(START, LEARNED):
        judge.remember(profile(hour, [f"t{number}" for number in rng.integers(0, 300, 200)]))
    renamed = [f"t{number}" if number > 60 else f"T{number}" for number in rng.integers(0, 300, 200)]
    (hourly,) = [v for v in judge.judge(profile(LEARNED, renamed)) if v.scale_hours == 1]
    assert (hourly.verdict, hourly.channel.kind) == ("page", ChannelKind.NEVER_SEEN)


DEEP = 900
"""Values of a catalogue, of which the 128 most frequent are distinguished; 37 % of the rows have others."""


def catalogue(rng, _hour, rows, *, is_permuted=False):
    """Draw by a power law; permuted, those behind the 128th take each other's places."""
    shares = 1 / np.arange(1, DEEP + 1) ** 0.9
    if is_permuted:
        shares[128:] = shares[128:][np.random.default_rng(11).permutation(DEEP - 128)]
    return [f"item {number}" for number in rng.choice(DEEP, rows, p=shares / shares.sum())]


@pytest.mark.parametrize("rows", [250, 1500], ids=["all named", "most folded"])
def test_values_behind_the_128th_that_take_each_others_places_page_and_the_same_do_not(rows):
    rng = np.random.default_rng(5)
    judge = Judge(grids={}, identity="m")
    for hour in range(START, LEARNED):
        judge.remember(profile(hour, catalogue(rng, hour, rows)))
    verdicts = [
        one
        for hour in range(LEARNED, LEARNED + 48)
        for one in judge.judge(profile(hour, catalogue(rng, hour, rows, is_permuted=hour >= LEARNED + 24)))
    ]
    found = [one for one in verdicts if one.verdict == "page"]
    assert {one.channel.kind for one in found} == {ChannelKind.FREQUENT_OTHERS}
    assert min(one.window_end for one in found) > LEARNED + 24
