"""Two tables compared in a notebook."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import driftline
from driftline.domain.channels import ChannelKind
from driftline.errors import SettingError

ROWS = 40_000


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 12, ROWS),
            "amount": np.round(rng.lognormal(3, 0.8, ROWS), 2),
            "temp": np.where(rng.random(ROWS) < 0.05, np.nan, rng.normal(60, 12, ROWS)),
            "city": rng.choice(["Ankara", "Bergen", "Cork"], ROWS, p=(0.6, 0.3, 0.1)),
            "customer": rng.integers(0, 30_000, ROWS).astype(str),
            "flag": rng.random(ROWS) < 0.2,
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 86_400, ROWS), unit="s"),
        }
    )


@pytest.fixture(scope="module")
def changed(frame):
    return frame.assign(
        age=frame["age"] + 3,
        amount=frame["amount"] * 100,
        city=frame["city"].replace("Bergen", "BERGEN"),
        extra=1.0,
    ).drop(columns="flag")


@pytest.fixture(scope="module")
def comparison(frame, changed):
    return driftline.compare(frame, changed)


def shown_by_a_notebook(found):
    """Ask as IPython does."""
    return getattr(found, "_repr_html_")()  # noqa: B009  the name is its protocol's.


def test_of_two_halves_of_the_same_rows_nothing_drifts(frame):
    halves = driftline.compare(frame.iloc[::2], frame.iloc[1::2])
    assert halves.drifted == []
    assert halves.headline == "None of 7 columns drifted"
    assert {each.verdict for each in halves.columns} == {"ok"}


@pytest.mark.parametrize("rows", [60, 200, 1000])
def test_of_two_small_samples_of_the_same_rows_nothing_drifts(frame, rows):
    """A small reference holds few of the numbers that there are: new ones are no news."""
    halves = driftline.compare(frame.iloc[:rows], frame.iloc[rows : 2 * rows])
    assert halves.drifted == []
    assert {each.verdict for each in halves.columns} == {"ok"}


def test_a_difference_that_is_sure_and_small_is_no_drift(frame):
    nudged = driftline.compare(frame, frame.assign(age=frame["age"] + 0.3))
    assert nudged["age"].verdict != "page"
    assert nudged["age"].statistics["ks_p_value"] < 0.05


def test_what_moved_most_comes_first_with_its_effect(comparison):
    assert set(comparison.drifted) == {"flag", "amount", "city", "age"}
    effects = [abs(each.effect) for each in comparison.columns if each.verdict == "page"]
    assert effects == sorted(effects, reverse=True)
    city = comparison["city"]
    assert city.effect_low <= city.effect <= city.effect_high
    assert city.effect == pytest.approx(-0.3, abs=0.01)


def test_another_unit_a_missing_and_a_new_column_are_named(comparison):
    assert comparison["amount"].channel.kind is ChannelKind.UNIT_CHANGED
    assert "multiplied by 100" in comparison["amount"].finding
    assert comparison["flag"].finding == "the current table has no such column"
    assert comparison.added == ["extra"]


def test_a_column_that_became_text_is_named(frame):
    found = driftline.compare(frame, frame.assign(age=frame["age"].round().astype(str)))
    assert "text instead of numbers" in found["age"].finding


def test_every_library_comes_to_the_same(frame, changed, comparison):
    for make in (pl.from_pandas, lambda table: pa.Table.from_pandas(table, preserve_index=False), dict):
        found = driftline.compare(make(frame), make(changed))
        assert found.drifted == comparison.drifted
        assert [each.effect for each in found.columns] == pytest.approx(
            [each.effect for each in comparison.columns]
        )


def test_lists_and_columns_of_nulls_are_columns_too():
    numbers = [float(place) for place in range(100)]
    found = driftline.compare({"a": numbers, "b": [None] * 100}, {"a": numbers, "b": ["x"] * 100})
    assert found["a"].verdict == "ok"
    assert found["b"].verdict == "page"


def test_a_notebook_shows_a_picture_of_each_column(comparison):
    shown = shown_by_a_notebook(comparison)
    assert shown.count("<figure") == 7
    assert "+0 " not in shown
    assert "<script" not in shown


def test_the_file_needs_nothing_from_elsewhere(comparison, tmp_path):
    page = comparison.save(tmp_path / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert not re.findall(r"(?:src|href)=|url\(|@import|<script", page)


def test_hostile_names_are_shown_as_they_are(frame):
    named = pd.DataFrame({"<img src=x onerror=alert(1)>": frame["age"]})
    shown = shown_by_a_notebook(driftline.compare(named, named + 9))
    assert "<img" not in shown
    assert "&lt;img" in shown


def test_it_can_be_had_as_plain_values(comparison):
    table = comparison.to_pandas()
    assert list(table["column"]) == [each.name for each in comparison.columns]
    assert table.set_index("column").loc["city", "drifted"]
    assert "columns drifted" in repr(comparison)
    assert "not in the reference: extra" in repr(comparison)


@pytest.mark.parametrize(
    ("reference", "current", "options", "wanted"),
    [
        (3, {"a": [1.0]}, {}, "reference: a int is no table"),
        ({"a": [1.0]}, {"a": [1.0]}, {}, "reference: 1 rows say nothing"),
        ({"a": [1.0] * 50}, {"a": [1.0] * 3}, {}, "current: 3 rows say nothing"),
        ({"a": [1.0], "b": []}, {}, {}, "reference: its columns differ in length"),
        ({"a": [1.0] * 50}, {"a": [1.0] * 50}, {"columns": ["c"]}, "columns: the reference has no 'c'"),
        ({"a": [1.0] * 50}, {"a": [1.0] * 50}, {"minimum_effect": 2}, "minimum_effect: 2 is no share"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(reference, current, options, wanted):
    with pytest.raises(SettingError, match=wanted):
        driftline.compare(reference, current, **options)


def test_columns_can_be_chosen(frame, changed):
    assert [each.name for each in driftline.compare(frame, changed, columns=["city"]).columns] == ["city"]


def test_a_name_that_driftline_does_not_have_is_still_unknown():
    with pytest.raises(AttributeError, match="no attribute 'compere'"):
        getattr(driftline, "compere")  # noqa: B009  as a program that has it misspelt asks.
