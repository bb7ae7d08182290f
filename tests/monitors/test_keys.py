"""The tables of keys: every setting of the judge has one, and its default is allowed."""

from __future__ import annotations

import dataclasses

import pytest

from driftline.drift import DriftSettings
from driftline.monitors.keys import Model, keys_of
from driftline.monitors.problems import Problems
from driftline.monitors.scalars import show_hours
from driftline.monitors.syntax import read_yaml

SETTINGS = [key for key in keys_of(Model) if key.is_setting]


def test_every_setting_of_the_judge_has_a_key():
    assert {key.field for key in SETTINGS} == {field.name for field in dataclasses.fields(DriftSettings)}


@pytest.mark.parametrize("key", SETTINGS, ids=lambda key: key.name)
def test_a_default_is_read_again_as_it_is_shown(key, tmp_path):
    default = getattr(DriftSettings(), key.field)
    (tmp_path / "value.yaml").write_text(f"{key.name}: {key.kind.show(default)}")
    problems = Problems("value.yaml")
    read = Model.model_validate(read_yaml(tmp_path / "value.yaml", problems))
    assert not problems.found
    assert getattr(read, key.field) == default


@pytest.mark.parametrize(
    ("hours", "shown"),
    [
        (1, "1h"),
        (24, "24h"),
        (36, "36h"),
        (48, "2d"),
        (168, "7d"),
        (336, "2w"),
        (1000, "1000h"),
        (0.5, "0.5h"),
    ],
)
def test_hours_are_shown_in_the_largest_unit_that_is_whole_and_more_than_one(hours, shown):
    assert show_hours(hours) == shown
