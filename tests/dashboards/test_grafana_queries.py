"""Every query of every dashboard runs on real data, as Grafana would ask it, and has something to show."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from driftline.domain.streams import Stream
from driftline.profiles import Grid
from driftline.store.derive import DERIVED_TABLES
from driftline.store.distributions import Spans, read_distribution
from driftline.web import WebServer
from tests.dashboards import grafana
from tests.dashboards.world import BROKEN, END_S, HOUR_S, NEWER
from tests.support.prometheus import Prometheus
from tests.support.running import wait_until
from tests.support.traffic import MODEL, RUN, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.dashboards.world import World

DASHBOARDS = grafana.load()
QUERIES = [query for dashboard in DASHBOARDS.values() for query in grafana.queries(dashboard)]
CHOSEN = {
    "prometheus": "driftline-prometheus",
    "clickhouse": "driftline-clickhouse",
    "driftline_url": "http://localhost:8321",
    "model_name": MODEL,
    "model_version": VERSION,
    "environment": "production",
    "feature": "amount",
    "segment": "all traffic",
    "reference": "production",
    "scale_hours": "24",
    "statistic": "effect",
    "team": grafana.ALL,
    "job": grafana.ALL,
}
ANY = {"segment": "", "training_run_id": "", "id": "", "outcome": grafana.ALL}
VIEWS: Mapping[str, list[Mapping[str, str]]] = {
    "driftline-feature": [CHOSEN, {**CHOSEN, "feature": "city"}, {**CHOSEN, "segment": BROKEN}],
    "driftline-predictions": [{**CHOSEN, **ANY}],
}
DAY_S = 24 * HOUR_S

EMPTY: Mapping[str, str] = {}
"""Queries that may have nothing to show of this world, and why."""


def ask(world: World, text: str, chosen: Mapping[str, str], *, wide: bool = False) -> list[dict[str, Any]]:
    """Return the rows of a query. Wide: until now, by the clock of sessions; else the last day of events."""
    span = (END_S - 30 * DAY_S, int(time.time()) + DAY_S) if wide else (END_S - DAY_S, END_S)
    sql = grafana.expand_sql(text, chosen, first_s=span[0], end_s=span[1], step_s=HOUR_S)
    return list(world.client.named_rows(sql))


def panel_rows(world: World, uid: str, title: str, **chosen: str) -> list[dict[str, Any]]:
    """Return what one panel shows."""
    (query,) = [q for q in grafana.queries(DASHBOARDS[uid]) if q.owner == title]
    usual = VIEWS.get(uid, [CHOSEN])[0]
    return ask(world, query.text, {**usual, **chosen})


@pytest.mark.parametrize("query", [query for query in QUERIES if query.is_sql], ids=str)
def test_sql_runs_in_every_view_and_returns_rows_in_one(world, query):
    views = VIEWS.get(query.dashboard, [CHOSEN])
    rows = [row for view in views for row in ask(world, query.text, view)]
    if not rows:
        rows = [row for view in views for row in ask(world, query.text, view, wide=True)]
    assert bool(rows) != (str(query) in EMPTY), f"{len(rows)} rows"
    assert not rows or any(value is not None for row in rows for value in row.values())


@pytest.fixture(scope="module")
def prometheus(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, after it has asked the services several times."""
    servers = {}
    for name, metrics in world.metrics.items():
        server = WebServer(metrics.app(), "127.0.0.1", 0)
        server.start()
        servers[f"driftline-{name}"] = server
    targets = {job: f"127.0.0.1:{server.port}" for job, server in servers.items()}
    asked = Prometheus(tmp_path_factory.mktemp("prometheus"), targets=targets)
    try:
        asked.start()
        wait_until(lambda: _samples(asked) >= 4, what="four scrapes")
        yield asked
    finally:
        asked.stop()
        for server in servers.values():
            server.stop()


def _samples(prometheus: Prometheus) -> float:
    found = prometheus.query("min(count_over_time(driftline_build_info[1m]))")
    return float(found[0]["value"][1]) if found else 0.0


@pytest.mark.parametrize("query", [query for query in QUERIES if not query.is_sql], ids=str)
def test_promql_runs_and_returns_series(prometheus, query):
    text = query.text
    if listed := re.fullmatch(r"label_values\((.+), (\w+)\)", text):
        text = f"count by ({listed[2]}) ({listed[1]})"
    expression = grafana.expand_promql(text, {**CHOSEN, **ANY}, rate_s=30, range_s=60)
    found = prometheus.query(expression)
    assert bool(found) != (str(query) in EMPTY), expression
    if listed:
        assert all(series["metric"].get(listed[2]) for series in found)


def test_a_query_that_is_wrong_is_found(world, prometheus):
    """The check can fail: names of columns, metrics and functions are looked up."""
    with pytest.raises(Exception, match="UNKNOWN_IDENTIFIER"):
        ask(world, "SELECT no_such_column FROM predictions WHERE $__timeFilter(event_time)", CHOSEN)
    with pytest.raises(OSError, match="400"):
        prometheus.query("rate(driftline_events_total)")
    assert prometheus.query("driftline_no_such_metric") == []


def test_columns_that_links_and_settings_name_are_there(world, prometheus):
    for uid, panel, columns in _shown(world, prometheus):
        for override in panel["fieldConfig"]["overrides"]:
            fits = grafana.matcher(override["matcher"])
            assert any(map(fits, columns)), f"{uid}: {panel['title']}: {override['matcher']}"
            for name in re.findall(r'__data\.fields\["(\w+)"\]', str(override)):
                assert name in columns, f"{uid}: {panel['title']}: {name}"


def test_numbers_in_tables_have_units_and_texts_have_none(world, prometheus):
    """Grafana reads a number into a text that looks like one, unless its unit is string."""
    for uid, panel, columns in _shown(world, prometheus):
        for column, kind in columns.items():
            unit, is_hidden = panel["fieldConfig"]["defaults"]["unit"], False
            for override in panel["fieldConfig"]["overrides"]:
                if grafana.matcher(override["matcher"])(column):
                    changed = {each["id"]: each["value"] for each in override["properties"]}
                    unit, is_hidden = changed.get("unit", unit), is_hidden or "custom.hidden" in changed
            if panel["type"] in {"table", "barchart", "trend"} and kind != "time" and not is_hidden:
                assert (unit == "string") == (kind == "text"), f"{uid}: {panel['title']}: {column} is {unit}"


def _shown(world: World, prometheus: Prometheus) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Yield each panel with the names of its columns, and whether they are text or number or time."""
    for uid, dashboard in DASHBOARDS.items():
        for panel in grafana.panels(dashboard):
            columns: dict[str, str] = {}
            for target in panel["targets"]:
                columns |= _columns(world, prometheus, uid, target)
            yield uid, panel, columns


def _columns(world: World, prometheus: Prometheus, uid: str, target: Mapping[str, Any]) -> dict[str, str]:
    view = VIEWS.get(uid, [CHOSEN])[0]
    if "rawSql" in target:
        sql = grafana.expand_sql(target["rawSql"], view, first_s=END_S - DAY_S, end_s=END_S, step_s=HOUR_S)
        return {row[0]: _kind(row[1]) for row in world.client.rows(f"DESCRIBE ({sql})")}
    found = prometheus.query(grafana.expand_promql(target["expr"], view, rate_s=30, range_s=60))
    labels = dict.fromkeys((label for series in found for label in series["metric"]), "text")
    hidden = {"Time": "time", "Value": "number"}
    return {**hidden, **labels}


def _kind(column: str) -> str:
    if "Time" in column:
        return "time"
    return "number" if re.search(r"Int\d|Float", column) else "text"


def test_the_distribution_shows_what_moved_and_adds_up(world):
    bars = panel_rows(world, "driftline-feature", "Distribution of numbers")
    for layer in ("now", "same hours before", "training"):
        assert sum(row[layer] for row in bars) == pytest.approx(1.0)
    assert sum(row["now"] for row in bars if float(row["value"]) > 1000) == pytest.approx(0.25, abs=0.02)
    assert sum(row["same hours before"] for row in bars if float(row["value"]) > 1000) == 0
    assert [float(row["value"]) for row in bars] == sorted(float(row["value"]) for row in bars)
    usual = [float(row["value"]) for row in bars if row["training"] > 0.01]
    assert 20 < min(usual) < max(usual) < 90


def test_the_curves_ascend_to_one(world):
    curves = panel_rows(world, "driftline-feature", "Share of values at or below")
    for layer in ("now", "same hours before", "training"):
        shares = [row[layer] for row in curves]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1.0)
    median = next(row["value"] for row in curves if row["training"] >= 0.5)
    assert median == pytest.approx(50, abs=2)


def test_categories_add_up(world):
    bars = panel_rows(world, "driftline-feature", "Distribution of categories", feature="city")
    assert {row["category"] for row in bars} == {"Ankara", "Bergen", "Cork"}
    for layer in ("now", "same hours before", "training"):
        assert sum(row[layer] for row in bars) == pytest.approx(1.0)


def test_distributions_are_those_of_driftlines_own_pages(world):
    """Now is the last day, before the same day of past weeks, as there."""
    stream, spans = Stream(MODEL, VERSION, "production"), Spans(END_S // HOUR_S)
    reported = read_distribution(world.client, stream, "amount", "numeric", spans).layers
    rows = panel_rows(world, "driftline-feature", "Numbers by slice")
    (whole,) = [row for row in rows if row["slice"] == "all traffic"]
    assert (whole["now_rows"], whole["before_rows"]) == (reported["now"].present, reported["before"].present)
    counted = read_distribution(world.client, stream, "city", "categorical", spans)
    shares = {value.value: value.shares for value in counted.values}
    for row in panel_rows(world, "driftline-feature", "Distribution of categories", feature="city"):
        ours = {"now": row["now"], "before": row["same hours before"], "training": row["training"]}
        assert ours == pytest.approx(shares[row["category"]])


def test_rows_that_no_pointer_names_count_for_nobody(world):
    """A derivation that was superseded, or was cut short, is there until it is deleted."""
    asked = [
        (query, view)
        for query in QUERIES
        if query.is_sql and re.search(rf"FROM ({'|'.join(DERIVED_TABLES)})\b", query.text)
        for view in VIEWS.get(query.dashboard, [CHOSEN])
    ]
    assert len(asked) > 15
    before = [ask(world, query.text, view) for query, view in asked]
    for table in DERIVED_TABLES:
        copied = f"INSERT INTO {table} SELECT * REPLACE (derivation + 1 AS derivation) FROM {table}"
        world.client.command(copied)
    for (query, view), rows in zip(asked, before, strict=True):
        assert ask(world, query.text, view) == rows, query


def test_numbers_that_are_counted_on_two_grids_lie_where_they_lie(world):
    """Until an hour is derived again, or for good where its rows have expired, it stays on an older grid."""
    values = np.random.default_rng(1).normal(50.0, 10.0, 10_000)
    stream = Stream("two-grids", VERSION, "production")
    hour = END_S // HOUR_S - 1
    for number, (grid, environment) in enumerate(
        [(Grid(0.0, 1.0, 32), "reference"), (Grid.from_values(values), "production")], 1
    ):
        buckets, counts = np.unique(grid.bucket(values), return_counts=True)
        named = {"model_name": stream.model_name, "model_version": VERSION, "environment": environment}
        named |= {"hour": hour * HOUR_S, "derivation": number}
        world.client.insert("derived_hours", [[*named.values(), 10_000]], column_names=[*named, "rows"])
        counted = {"feature": "amount", "kind": "numeric", "count": 10_000}
        counted |= {"center": grid.center, "scale": grid.scale, "resolution": grid.resolution}
        counted |= {"buckets": buckets.tolist(), "counts": counts.tolist()}
        world.client.insert(
            "profiles", [[*named.values(), *counted.values()]], column_names=[*named, *counted]
        )
    bars = panel_rows(world, "driftline-feature", "Distribution of numbers", model_name="two-grids")
    for layer in ("now", "training"):
        assert sum(row[layer] for row in bars) == pytest.approx(1.0)
        mean = sum(float(row["value"]) * row[layer] for row in bars)
        assert mean == pytest.approx(50.0, rel=0.02)
    curves = panel_rows(world, "driftline-feature", "Share of values at or below", model_name="two-grids")
    middle = [row["value"] for row in curves if row["now"] >= 0.5 and row["training"] >= 0.5]
    assert middle[0] == pytest.approx(50.0, rel=0.03)


def test_the_slice_that_broke_stands_out(world):
    slices = {row["slice"]: row for row in panel_rows(world, "driftline-feature", "Numbers by slice")}
    assert slices[BROKEN]["median"] == pytest.approx(5000, rel=0.05)
    assert slices[BROKEN]["median_before"] == pytest.approx(50, rel=0.05)
    assert slices["tenant=t1"]["median"] == pytest.approx(50, rel=0.1)
    verdicts = {row["slice"]: row for row in panel_rows(world, "driftline-feature", "Verdicts by slice")}
    assert verdicts[BROKEN]["verdict"] == "page"
    assert BROKEN in verdicts["all traffic"]["drivers"]


def test_the_share_of_missing_values_is_right(world):
    (row,) = panel_rows(world, "driftline-feature", "Missing", feature="age")
    assert row["missing"] == pytest.approx(0.1, abs=0.03)
    (row,) = panel_rows(world, "driftline-feature", "Missing", feature="city")
    assert row["missing"] == 0


def test_the_fleet_shows_each_version_with_its_state_incidents_and_run(world):
    rows = {row["model_version"]: row for row in panel_rows(world, "driftline-fleet", "Model versions")}
    assert set(rows) == {VERSION, NEWER}
    assert {row["state"] for row in rows.values()} == {"page"}
    assert {row["open_incidents"] for row in rows.values()} == {1}
    assert (rows[VERSION]["training_run_id"], rows[VERSION]["git_commit"]) == (RUN, "5c0ffee")
    assert rows[NEWER]["training_run_id"] == ""
    assert rows[VERSION]["events"] == 24 * 60


def test_a_new_version_is_marked_when_it_was_seen_first_and_only_then(world):
    (query,) = [
        q for q in grafana.queries(DASHBOARDS["driftline-model"]) if q.owner == "annotation New versions"
    ]
    (mark,) = ask(world, query.text, CHOSEN)
    assert mark["title"] == f"version {NEWER}"
    assert mark["time"].timestamp() == END_S - DAY_S


@pytest.mark.parametrize("found_by", ["event", "request", "trace"])
def test_a_prediction_is_found_by_any_of_its_ids(world, found_by):
    ids = {
        "event": world.event_ids[0],
        "request": "request-216-0",
        "trace": f"{216:016x}{0:016x}",
    }
    rows = panel_rows(world, "driftline-predictions", "Newest predictions", id=ids[found_by])
    (row,) = [each for each in rows if each["model_version"] == VERSION]
    assert str(row["event_id"]) == world.event_ids[0]
    assert (row["actual"], row["training_run_id"], row["git_commit"]) == ("1", RUN, "5c0ffee")


def test_predictions_are_filtered_by_slice_outcome_run_and_version(world):
    def find(**chosen: str) -> list[dict[str, Any]]:
        return panel_rows(world, "driftline-predictions", "Newest predictions", **chosen)

    assert {row["actual"] is not None for row in find(outcome="known")} == {True}
    assert len(find(outcome="known")) == 5
    assert {row["actual"] for row in find(outcome="unknown")} == {None}
    assert {"t3" in row["tags"] for row in find(segment=BROKEN)} == {True}
    assert {"Cork" in row["categories"] for row in find(segment="city=Cork")} == {True}
    every = {"model_version": grafana.ALL, "environment": grafana.ALL}
    assert {row["model_version"] for row in find(**every, training_run_id="run-9")} == {NEWER}
    assert {row["model_version"] for row in find(**every)} == {VERSION, NEWER}


@pytest.mark.parametrize("text", ["' OR 1=1 --", "it's", "100%"])
def test_what_is_typed_into_a_field_is_a_text_and_nothing_else(world, text):
    assert panel_rows(world, "driftline-predictions", "Newest predictions", id=text) == []
