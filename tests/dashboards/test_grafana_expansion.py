"""What the tests make of macros and variables is what Grafana and its data sources say that they do."""

from __future__ import annotations

import pytest

from tests.dashboards import grafana

VALUES = {"name": "it's", "none": "", "all": grafana.ALL, "path": "a/b c"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # As in the table of macros of the data source's README.
        ("$__timeFilter(time)", "time >= toDateTime(1415792726) AND time <= toDateTime(1447328726)"),
        ("$__fromTime", "toDateTime(1415792726)"),
        ("$__toTime", "toDateTime(1447328726)"),
        ("$__interval_s", "20"),
        ("$__timeInterval(column)", "toStartOfInterval(toDateTime(column), INTERVAL 20 second)"),
        ("$__conditionalAll(a = 1, $all)", "1=1"),
        ("$__conditionalAll(a = 1, $none)", "1=1"),
        ("$__conditionalAll(f(a, (b)) = 1, $name)", "f(a, (b)) = 1"),
        ("$__conditionalAll(a, $none) OR $__conditionalAll(b, $name)", "1=1 OR b"),
        ("$__conditionalAll($__conditionalAll(a, $none) AND b, $name)", "1=1 AND b"),
        # As Grafana's page on the format of variables.
        ("${name:sqlstring}", "'it''s'"),
        ("${path:percentencode}", "a%2Fb%20c"),
        ("$name [[name]] ${name}", "it's it's it's"),
    ],
)
def test_sql_is_expanded_as_documented(text, expected):
    assert grafana.expand_sql(text, VALUES, first_s=1415792726, end_s=1447328726, step_s=20) == expected


def test_promql_is_expanded_as_documented():
    text = 'rate(x{a=~"$all"}[$__rate_interval]) + increase(x[$__range])'
    expected = 'rate(x{a=~".*"}[30s]) + increase(x[60s])'
    assert grafana.expand_promql(text, VALUES, rate_s=30, range_s=60) == expected


@pytest.mark.parametrize("text", ["$__nosuch(x)", "${nosuch:sqlstring}", "${name:nosuch}"])
def test_what_grafana_does_not_know_fails(text):
    with pytest.raises((AssertionError, KeyError, ValueError)):
        grafana.expand_sql(text, VALUES, first_s=0, end_s=1, step_s=1)
