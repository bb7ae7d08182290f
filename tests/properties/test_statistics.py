"""The descriptive statistics of verdicts are those of scipy and numpy on the raw rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from driftline.drift import Judge
from driftline.profiles import CategoricalCounts, Grid, HourProfile
from tests.drift.conftest import numeric_counts
from tests.properties.draws import EXTREMES, SHAPES

START = 489_984
WEEK = 168
REFERENCE_ROWS, WINDOW_ROWS = 100_000, 20_000
TOLERANCE = 0.002
CITIES = np.array(["Ankara", "Bergen", "Cork", "Derby"])


def profile_of(hour, columns, grids):
    """Count one hour: numbers on their grids, texts by value."""
    numeric = {name: numeric_counts(grid, columns[name], len(columns[name])) for name, grid in grids.items()}
    values, counts = np.unique(columns["city"], return_counts=True)
    city = CategoricalCounts(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return HourProfile(hour, len(columns["city"]), numeric, {"city": city})


def hours_of(first_hour, columns, grids, hours):
    """Spread rows evenly over some hours."""
    places = np.array_split(np.arange(len(columns["city"])), hours)
    return [
        profile_of(first_hour + hour, {name: values[place] for name, values in columns.items()}, grids)
        for hour, place in enumerate(places)
    ]


def made(rng, size, shift):
    columns = {name: draw(rng, size, shift) for name, draw in SHAPES.items()}
    return columns | {"city": rng.choice(CITIES, size, p=(0.5 - shift, 0.3 + shift, 0.15, 0.05))}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(17)
    return made(rng, REFERENCE_ROWS, 0.0), made(rng, WINDOW_ROWS, 0.1)


def judged_against_training(reference, window, grids):
    """Judge a week against reference rows that carry no times: all of either are compared."""
    judge = Judge(grids=grids, training=[profile_of(START, reference, grids)], identity="m")
    begin = START + 10 * WEEK
    before = {name: values[:WEEK] for name, values in reference.items()}
    for profile in hours_of(begin - 15 * 24, before, grids, WEEK):
        judge.remember(profile)
    return last_verdicts(judge, hours_of(begin, window, grids, WEEK), "training", WEEK)


def judged_against_production(reference, window, grids):
    """Judge a day against the four weeks before it."""
    judge = Judge(grids=grids, identity="m")
    for profile in hours_of(START, reference, grids, 4 * WEEK):
        judge.remember(profile)
    return last_verdicts(judge, hours_of(START + 4 * WEEK, window, grids, 24), "production", 24)


def last_verdicts(judge, profiles, reference, scale_hours):
    for profile in profiles:
        verdicts = judge.judge(profile)
    return {
        verdict.feature: verdict
        for verdict in verdicts
        if (verdict.reference, verdict.scale_hours) == (reference, scale_hours)
    }


@pytest.fixture(scope="module")
def verdicts(rows):
    reference, window = rows
    grids = {name: Grid.from_values(reference[name]) for name in SHAPES}
    return {
        "training": judged_against_training(reference, window, grids),
        "production": judged_against_production(reference, window, grids),
    }


def shares_by_decile(reference, rows):
    edges = np.unique(np.quantile(reference, np.arange(1, 10) / 10, method="inverted_cdf"))
    return np.bincount(np.searchsorted(edges, rows), minlength=edges.size + 1) / rows.size


def psi(p, e):
    p, e = np.maximum(p, 1e-4), np.maximum(e, 1e-4)
    return float(((p - e) * np.log(p / e)).sum())


@pytest.mark.parametrize("against", ["training", "production"])
@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_in_verdicts_are_those_of_the_raw_rows(rows, verdicts, shape, against):
    reference, window = rows[0][shape], rows[1][shape]
    found = verdicts[against][shape].statistics
    assert found["ks"] == pytest.approx(stats.ks_2samp(reference, window).statistic, abs=TOLERANCE)
    p, e = shares_by_decile(reference, window), shares_by_decile(reference, reference)
    assert found["psi"] == pytest.approx(psi(p, e), abs=TOLERANCE)
    assert found["js"] == pytest.approx(jensenshannon(p, e, 2), abs=TOLERANCE)
    low, high = np.quantile(reference, (0.005, 0.995))
    deviation = np.clip(reference, low, high).std()
    raw = stats.wasserstein_distance(np.clip(reference, low, high), np.clip(window, low, high))
    if deviation:
        assert found["wasserstein_normed"] == pytest.approx(raw / deviation, abs=TOLERANCE)
        assert found["wasserstein"] == pytest.approx(raw, abs=TOLERANCE * deviation)
    else:
        assert (found["wasserstein"], found["wasserstein_normed"]) == (0.0, None)


@pytest.mark.parametrize("shape", SHAPES)
def test_ks_p_values_are_scipys_for_the_distance(verdicts, shape):
    found = verdicts["training"][shape].statistics
    effective = REFERENCE_ROWS * WINDOW_ROWS / (REFERENCE_ROWS + WINDOW_ROWS)
    # The asymptotic distribution of the distance, with Vrbik's correction; and the exact one beside it.
    root = np.sqrt(effective)
    corrected = root * found["ks"] + 1 / (6 * root) + (root * found["ks"] - 1) / (4 * effective)
    asymptotic = stats.kstwobign.sf(corrected) if found["ks"] > 0 else 1.0
    assert found["ks_p_value"] == pytest.approx(asymptotic, rel=1e-6, abs=1e-12)
    assert found["ks_p_value"] == pytest.approx(stats.kstwo.sf(found["ks"], round(effective)), abs=0.005)


def test_chi_square_and_its_p_value_are_scipys(rows, verdicts):
    found = verdicts["training"]["city"].statistics
    table = [[np.sum(side["city"] == city) for city in CITIES] for side in rows]
    raw = stats.chi2_contingency(table, correction=False)
    assert found["chi2"] == pytest.approx(raw.statistic, rel=1e-9)
    assert found["chi2_p_value"] == pytest.approx(raw.pvalue, abs=1e-12)


def test_p_values_against_production_are_as_small_as_chance_makes_them():
    """Also where hours of the week are matched, each of which holds few rows of the reference."""
    rng = np.random.default_rng(23)
    names = [f"text {place}" for place in range(20)]

    def hour_of(hour, rows=60):
        counted = {name: rng.multinomial(rows, (0.5, 0.3, 0.15, 0.05)).tolist() for name in names}
        texts = {
            name: CategoricalCounts(dict(zip(CITIES.tolist(), counts, strict=True)))
            for name, counts in counted.items()
        }
        return HourProfile(hour, rows, {}, texts)

    judge = Judge(grids={}, identity="m")
    for hour in range(START, START + 4 * WEEK + 24):
        judge.remember(hour_of(hour))
    found = [
        verdict.statistics["chi2_p_value"]
        for hour in range(START + 4 * WEEK + 24, START + 4 * WEEK + 96)
        for verdict in judge.judge(hour_of(hour))
        if verdict.scale_hours == 1
    ]
    assert len(found) == 72 * len(names)
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)


@pytest.mark.filterwarnings("error:invalid value")
def test_numbers_at_the_ends_of_what_floats_hold_break_no_verdict():
    """A sensor's DBL_MAX, few or many of them, in the reference or only in the window."""
    rng = np.random.default_rng(2)
    reference = made(rng, 20_000, 0.0)
    reference["normal"] = np.where(rng.random(20_000) < 0.02, EXTREMES[-2], reference["normal"])
    reference["offset"] = rng.choice(EXTREMES, 20_000)
    window = made(rng, 5_000, 0.0)
    window["lognormal"] = np.where(rng.random(5_000) < 0.1, EXTREMES[-1], window["lognormal"])
    grids = {name: Grid.from_values(reference[name]) for name in SHAPES}
    for found in (
        judged_against_training(reference, window, grids),
        judged_against_production(reference, window, grids),
    ):
        for verdict in found.values():
            numbers = [number for number in verdict.statistics.values() if number is not None]
            assert np.isfinite(numbers).all(), verdict.feature
        ks = stats.ks_2samp(reference["lognormal"], window["lognormal"]).statistic
        assert found["lognormal"].statistics["ks"] == pytest.approx(ks, abs=TOLERANCE)
