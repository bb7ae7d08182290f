"""Which hours one statement counts together."""

from __future__ import annotations

import pytest

from driftline.domain.streams import HourKey, Stream
from driftline.store.grouping import batches, by_segments
from driftline.store.hours import RawRows

STREAM = Stream("m", "1", "production")


class Recipes:
    """Which models are counted in segments, or say what is a category."""

    def segments_of(self, model_name):
        return ["country=NO"] if model_name.startswith("cut") else []

    def categories_of(self, model_name):
        return frozenset({"store_id"} if model_name.startswith("kind") else ())


def test_models_with_segments_or_categories_have_a_group_of_their_own_and_all_others_share_one():
    models = ["plain", "cut-1", "else", "kind-2", "plain", "cut-1"]
    hours = [HourKey(Stream(model, "1", "production"), hour) for hour, model in enumerate(models)]
    groups = [[each.hour for each in group] for group in by_segments(hours, Recipes())]
    assert groups == [[0, 2, 4], [1, 5], [3]]


@pytest.mark.parametrize(("sizes", "expected"), [([5, 5, 5], [2, 1]), ([50, 5], [1, 1]), ([], [])])
def test_hours_go_together_until_they_have_too_many_rows(sizes, expected):
    hours = [HourKey(STREAM, hour) for hour in range(len(sizes))]
    rows = {hour: RawRows(size) for hour, size in zip(hours, sizes, strict=True)}
    groups = batches(hours, rows, 10)
    assert [len(group) for group in groups] == expected
    assert [each for group in groups for each in group] == hours


def test_hours_go_together_as_far_as_one_statement_can_name_them():
    """Names of many bytes are sent as even more."""
    hours = [HourKey(Stream("\N{OGHAM SPACE MARK}" * 5000, str(number), "p"), number) for number in range(9)]
    groups = batches(hours, {hour: RawRows(1) for hour in hours}, 1000)
    assert [len(group) for group in groups] == [5, 4]
    assert [each for group in groups for each in group] == hours
