"""A descriptive statistic is named once; whatever has to follow, does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from driftline.domain.statistics import DESCRIPTIVE_STATISTICS, STATISTIC_NAMES, statistics_of
from tests.drift.conftest import GRIDS, Traffic
from tests.drift.judging import LEARNED, judge_with_history

ROOT = Path(__file__).parents[2]


def test_verdicts_carry_those_of_their_kind_and_no_others():
    traffic = Traffic()
    for verdict in judge_with_history(traffic, dict(GRIDS)).judge(traffic.hour(LEARNED)):
        assert list(verdict.statistics) == [each.name for each in statistics_of(verdict.kind)]
        assert all(np.isfinite(number) for number in verdict.statistics.values())


def test_the_store_has_a_column_and_an_entry_of_its_view_for_each():
    sql = (ROOT / "schemas" / "clickhouse" / "0005_verdicts.sql").read_text()
    table, _, view = sql.partition("CREATE VIEW")
    columns = re.findall(r"^    (\w+) Float32", table, re.MULTILINE)
    assert sorted(columns[columns.index("completeness") + 1 :]) == sorted(STATISTIC_NAMES)
    entries = re.findall(r"'(\w+)', r\.(\w+)", view)
    assert sorted(entries) == sorted((name, name) for name in STATISTIC_NAMES)


def test_the_documentation_tells_what_each_is():
    text = (ROOT / "docs" / "drift.md").read_text()
    reported = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert [row for row in reported if row[0] in STATISTIC_NAMES] == [
        (each.name, " and ".join(each.kinds), f"{each.title}: {each.meaning}")
        for each in DESCRIPTIVE_STATISTICS
    ]


def test_dashboards_offer_each():
    model, feature = (
        (ROOT / "dashboards" / "grafana" / f"driftline-{name}.json").read_text()
        for name in ("model", "feature")
    )
    for each in DESCRIPTIVE_STATISTICS:
        assert each.name in model
        assert each.title in feature
