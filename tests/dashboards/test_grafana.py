"""The dashboards as they are committed: current, complete, in one style, and linked to what is there."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from dashboards.grafana.source import render
from dashboards.grafana.source.document import BEGIN, document
from driftline.drift.service.metrics import WORKER_METRICS
from driftline.grafana.push import read_dashboards
from driftline.grafana.sources import clickhouse_source, prometheus_source
from driftline.lander import LANDER_METRICS
from driftline.metrics import COMMON_METRICS
from driftline.profiling import PROFILER_METRICS
from driftline.store.users import SERVICES
from driftline.web import addresses
from driftline.wire import schema_folder
from tests.dashboards import grafana

DASHBOARDS = grafana.load()
TABLES = (COMMON_METRICS, LANDER_METRICS, PROFILER_METRICS, WORKER_METRICS)
METRICS = {metric.name: metric for table in TABLES for metric in table}
OF_PROMETHEUS = {"up": ("job", "instance")}
UIDS = {f"driftline-{name}" for name in ("fleet", "model", "feature", "pipeline", "predictions")}
IN_URLS = {"model_name", "model_version", "environment", "feature", "segment"}
"""What alerts' annotations put into addresses of dashboards."""

PANELS = [(uid, panel) for uid, dashboard in DASHBOARDS.items() for panel in grafana.panels(dashboard)]
QUERIES = [query for dashboard in DASHBOARDS.values() for query in grafana.queries(dashboard)]

each_dashboard = pytest.mark.parametrize("uid", sorted(UIDS))
each_panel = pytest.mark.parametrize(
    ("uid", "panel"),
    PANELS,
    ids=[f"{uid.removeprefix('driftline-')}: {panel['title']}" for uid, panel in PANELS],
)


def strings(value: Any) -> Any:
    """Yield every text within a piece of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(map(strings, value.values()))
    elif isinstance(value, list):
        yield from itertools.chain.from_iterable(map(strings, value))


def test_the_committed_json_is_what_the_source_makes():
    """Else: python -m dashboards.grafana.source"""
    committed = {path.name: path.read_text() for path in grafana.FOLDER.glob("*.json")}
    assert committed == dict(render())


def test_the_documentation_tells_the_panels_as_they_are():
    """Else: python -m dashboards.grafana.source"""
    text = (grafana.FOLDER.parents[1] / "docs" / "dashboards.md").read_text()
    assert BEGIN in text
    assert text == document(text, [json.loads(each) for each in render().values()])
    assert all(f"| {panel['title']} | " in text for _, panel in PANELS)


def test_each_dashboard_is_there_once_and_is_what_push_and_provisioning_bring():
    assert set(DASHBOARDS) == UIDS
    assert {dashboard["uid"] for dashboard in read_dashboards()} == UIDS
    assert len({dashboard["title"] for dashboard in DASHBOARDS.values()}) == len(UIDS)


@each_dashboard
def test_a_dashboard_says_what_it_is_and_leads_to_the_others(uid):
    dashboard = DASHBOARDS[uid]
    assert dashboard["description"].endswith(".")
    assert dashboard["tags"] == ["driftline"]
    assert dashboard["links"][0]["type"] == "dashboards"
    assert dashboard["links"][0]["tags"] == ["driftline"]
    assert dashboard["time"]["to"] == "now"
    assert uid == "driftline-predictions" or re.fullmatch(r"\d+[sm]", dashboard["refresh"])


@each_panel
def test_a_panel_has_a_unit_a_description_and_says_when_there_is_nothing(uid, panel):
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"], uid
    assert defaults["noValue"]
    assert re.fullmatch(r"[A-Z0-9(].{19,}[.]", panel["description"], re.DOTALL)
    assert panel["title"]
    assert panel["targets"]


@each_dashboard
def test_titles_within_a_dashboard_differ_as_do_queries_within_a_panel(uid):
    titles = [panel["title"] for panel in grafana.panels(DASHBOARDS[uid])]
    assert len(titles) == len(set(titles))
    for panel in grafana.panels(DASHBOARDS[uid]):
        names = [target["refId"] for target in panel["targets"]]
        assert len(names) == len(set(names))


@each_dashboard
def test_panels_do_not_overlap_and_stay_within_the_grid(uid):
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARDS[uid]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies over {taken[cell]}"
            taken[cell] = panel["title"]


@each_dashboard
def test_rows_of_panels_are_full(uid):
    """A gap looks as if a panel were missing."""
    taken = [place["w"] * place["h"] for panel in DASHBOARDS[uid]["panels"] for place in (panel["gridPos"],)]
    bottom = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in DASHBOARDS[uid]["panels"])
    assert sum(taken) == 24 * bottom


@each_panel
def test_a_panel_asks_the_data_sources_that_are_chosen(uid, panel):
    for target in panel["targets"]:
        kind = "clickhouse" if "rawSql" in target else "prometheus"
        assert target["datasource"]["uid"] == f"${{{kind}}}", uid


@each_dashboard
def test_every_variable_that_is_named_exists_and_every_one_that_exists_is_named(uid):
    dashboard = DASHBOARDS[uid]
    known = set(grafana.variables(dashboard))
    rest = {name: value for name, value in dashboard.items() if name != "templating"}
    queried = [variable.get("query", "") for variable in dashboard["templating"]["list"]]
    uids = [variable.get("datasource", {}).get("uid", "") for variable in dashboard["templating"]["list"]]
    named = set()
    for text in strings([rest, queried, uids]):
        for match in re.finditer(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)", text):
            name = match[1] or match[2]
            if not name.startswith("__"):
                named.add(name)
    assert named == known


def test_variables_that_addresses_name_are_called_so():
    assert set(grafana.variables(DASHBOARDS["driftline-feature"])) >= IN_URLS
    assert set(grafana.variables(DASHBOARDS["driftline-model"])) >= IN_URLS - {"feature", "segment"}
    assert set(grafana.variables(DASHBOARDS["driftline-predictions"])) >= IN_URLS - {"feature"}


@each_dashboard
def test_fixed_choices_are_what_grafana_reads_from_their_text(uid):
    for variable in grafana.variables(DASHBOARDS[uid]).values():
        if variable["type"] == "custom":
            reported = {option["value"]: option["text"] for option in variable["options"]}
            assert grafana.options(variable) == reported
            assert variable["current"]["value"] in {*reported, grafana.ALL}


def links():
    for uid, dashboard in DASHBOARDS.items():
        yield from ((uid, link["url"]) for link in dashboard["links"] if link["type"] == "link")
        for panel in grafana.panels(dashboard):
            for override in panel["fieldConfig"]["overrides"]:
                for changed in override["properties"]:
                    if changed["id"] == "links":
                        yield from ((uid, link["url"]) for link in changed["value"])


def test_links_lead_to_dashboards_and_variables_that_exist():
    inner = [url for _, url in links() if url.startswith("/d/")]
    assert len(inner) > 5
    for url in inner:
        # Macros and formats may hold characters that end a part of an address.
        parts = urlsplit(re.sub(r"\$\{[^}]*\}", "x", url))
        target = parts.path.removeprefix("/d/")
        assert target in UIDS
        given = {name.removeprefix("var-") for name, _ in parse_qsl(parts.query) if name.startswith("var-")}
        assert given <= set(grafana.variables(DASHBOARDS[target])), url


def test_links_to_driftlines_own_pages_are_addresses_of_pages():
    pages = {
        "/",
        addresses.model_path("x"),
        addresses.feature_path("x", "x"),
        addresses.explorer_path("x"),
        addresses.incident_path("x"),
        addresses.prediction_path("x"),
    }
    outer = [url for _, url in links() if not url.startswith("/d/")]
    assert {re.sub(r"\$\{[^}]*\}", "x", url.removeprefix("${driftline_url}")) for url in outer} == pages
    assert all(url.startswith("${driftline_url}/") for url in outer)


def test_dashboards_that_alerts_lead_to_exist_with_the_variables_that_are_given():
    files = (grafana.FOLDER.parent / "prometheus" / "rules").glob("*.yml")
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert len(alerts) > 5
    for alert in alerts:
        url = urlsplit(re.sub(r"\{\{.*?\}\}", "x", alert["annotations"]["dashboard"], flags=re.DOTALL))
        target = url.path.partition("/d/")[2]
        assert target in UIDS, alert["alert"]
        given = {name.removeprefix("var-") for name, _ in parse_qsl(url.query) if name.startswith("var-")}
        assert given <= set(grafana.variables(DASHBOARDS[target])), f"{alert['alert']}: {given}"


def metric_names():
    for query in QUERIES:
        if not query.is_sql:
            for name in re.findall(r"\bdriftline_\w+", query.text):
                yield query, name


def test_every_metric_that_a_dashboard_asks_for_is_in_a_services_table():
    assert {name for _, name in metric_names()} <= set(METRICS)


def test_every_metric_of_a_services_table_is_on_some_dashboard():
    assert set(METRICS) - {name for _, name in metric_names()} == set()


@pytest.mark.parametrize(
    "query", [q for q in QUERIES if not q.is_sql and "label_values" not in q.text], ids=str
)
def test_labels_that_a_query_matches_are_those_of_the_metric(query):
    found = re.findall(r"\b(driftline_\w+|up)\s*\{([^}]*)\}", query.text)
    for name, matchers in found:
        known = METRICS[name].labels if name in METRICS else ()
        for label in re.findall(r"(\w+)\s*[=!]", matchers):
            assert label in {*known, "job", "instance"}, f"{name} has no label {label}"
    used = {name for _, name in metric_names() if name in query.text}
    labels = {label for name in used for label in METRICS[name].labels} | {"job", "instance"}
    grouped = re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", query.text)
    assert {label.strip() for group in grouped for label in group.split(",")} <= labels


@each_panel
def test_legends_name_labels_that_are_there(uid, panel):
    for target in panel["targets"]:
        names = re.findall(r"driftline_\w+", target.get("expr", ""))
        labels = {label for name in names for label in METRICS[name].labels} | {"job", "instance"}
        assert set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))) <= labels, uid


def test_sql_reads_only_what_the_reader_may_read():
    roles = (schema_folder("clickhouse") / "users" / "roles.sql").read_text()
    grant = roles.partition("ROLE IF NOT EXISTS driftline_reader;")[2].partition("TO driftline_reader")[0]
    allowed = set(re.findall(r"\$database\.(\w+)", grant))
    assert "reader" in SERVICES
    assert len(allowed) > 10
    read = {
        name
        for q in QUERIES
        if q.is_sql
        for name in re.findall(r"\b(?:FROM|(?<!ARRAY )JOIN)\s+([a-z_]+)\b", q.text)
    }
    assert len(read) > 5
    assert read <= allowed


def test_sql_leaves_quoting_to_grafana():
    """A name with a quote in it must not end the text that it stands in."""
    for query in QUERIES:
        if query.is_sql:
            bare = re.sub(r"\$\{\w+:sqlstring\}|\$\{scale_hours\}|\$__\w+|, \$\w+\)", "", query.text)
            assert "$" not in bare, query


@pytest.mark.parametrize("kind", ["datasources", "dashboards"])
def test_provisioning_brings_the_same_as_push(kind):
    given = yaml.safe_load((grafana.FOLDER / "provisioning" / kind / "driftline.yml").read_text())
    if kind == "dashboards":
        (provider,) = given["providers"]
        assert (provider["folder"], provider["folderUid"]) == ("driftline", "driftline")
        return
    pushed = [prometheus_source("http://x"), clickhouse_source("clickhouse://x", {})]
    assert [each["uid"] for each in given["datasources"]] == [each["uid"] for each in pushed]
    for provisioned, source in zip(given["datasources"], pushed, strict=True):
        assert provisioned["type"] == source["type"]
        assert set(provisioned["jsonData"]) <= set(source["jsonData"])


def test_what_provisioning_takes_from_the_environment_is_documented_and_set_by_compose():
    text = "".join(path.read_text() for path in (grafana.FOLDER / "provisioning").rglob("*.yml"))
    named = {name for name in re.findall(r"\$(\w+)", re.sub(r"#.*", "", text)) if not name.startswith("__")}
    root = grafana.FOLDER.parents[1]
    documented = set(
        re.findall(r"^\| `(DRIFTLINE_\w+)` \|", (root / "docs" / "dashboards.md").read_text(), re.MULTILINE)
    )
    service = yaml.safe_load((root / "docker-compose.yml").read_text())["services"]["grafana"]
    assert named == documented
    assert named <= set(service["environment"])
    assert re.findall(r"\$__file\{/run/secrets/(\w+)\}", text)[0] in service["secrets"]
