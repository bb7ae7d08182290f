"""What counts as out of range, and whose range it is."""

import numpy as np

from driftline.drift import DriftSettings, Judge
from driftline.profiles import Grid, HourProfile, NumericCounts
from tests.drift.conftest import START, WEEK, numeric_counts, profile_of

RAIN = Grid(0.0, 0.05)


def weather(hour, rain):
    rows = 200
    values = np.full(rows, float(rain))
    counts: NumericCounts = numeric_counts(RAIN, values, rows)
    return HourProfile(hour, rows, {"rain": counts}, {})


def out_of_range_pages(verdicts, reference):
    return [
        v
        for v in verdicts
        if v.verdict == "page" and v.channel.text == "out of range" and v.reference == reference
    ]


def judge_after_dry_days(training):
    judge = Judge(grids={"rain": RAIN}, training=training, settings=DriftSettings(), identity="rain")
    for hour in range(START, START + 10 * 24):
        judge.judge(weather(hour, 0.0))
    return judge


def test_a_dry_fortnight_borrows_the_range_of_the_training_data():
    """What the model learned from is not out of range because production has not had it yet."""
    training = [weather(START - 13 * WEEK + hour, 0.3 if hour % 50 == 0 else 0.0) for hour in range(4 * WEEK)]
    verdicts = judge_after_dry_days(training).judge(weather(START + 10 * 24, 0.2))
    assert out_of_range_pages(verdicts, "production") == []


def test_without_a_training_reference_the_first_rain_is_out_of_range():
    """Nothing else is known: a constant that moves is worth a page."""
    judge = judge_after_dry_days([])
    found = [v for hour in range(6) for v in judge.judge(weather(START + 10 * 24 + hour, 0.2))]
    assert [v for v in found if v.verdict == "page"]


def heat(hour, degrees):
    rng = np.random.default_rng(hour)
    columns = {
        "age": rng.normal(degrees, 0.5, 300),
        "amount": rng.lognormal(2, 0.5, 300),
        "city": np.full(300, "Cork"),
    }
    return profile_of(hour, columns)


def test_a_summer_day_beyond_the_winters_training_pages_only_until_production_is_known(grids):
    """Season alone may move what is served away from what was learned: it warns."""
    training = [heat(START - 9 * WEEK + hour, 0.0) for hour in range(2 * WEEK)]
    judge = Judge(grids=grids, training=training, settings=DriftSettings(), identity="heat")
    young = [v for hour in range(48) for v in judge.judge(heat(START + hour, 30.0))]
    assert out_of_range_pages(young, "training")
    late = [v for hour in range(48, 5 * WEEK) for v in judge.judge(heat(START + hour, 30.0))]
    against_training = [v for v in late if v.reference == "training" and v.feature == "age"]
    known = [v for v in against_training if v.window_end > START + 4 * WEEK]
    assert known
    assert {v.verdict for v in known} == {"warn"}
