"""The JSON is what Grafana's own types say of a dashboard, and of each panel's options and field settings.

``@grafana/schema`` is what Grafana publishes; TypeScript checks. It is used here and nowhere else.
"""

from __future__ import annotations

import copy
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.dashboards import grafana
from tests.support.npm import packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PINNED = {"@grafana/schema": "11.6.16", "typescript": "5.8.3"}
DASHBOARDS = grafana.load()

# A panel's kind, and how Grafana calls what describes it. Their settings are typed loosely in a dashboard.
KINDS = {
    "barchart": "BarChart",
    "stat": "Stat",
    "state-timeline": "StateTimeline",
    "table": "Table",
    "timeseries": "TimeSeries",
    "trend": "Trend",
}
WITHOUT_FIELDS = {"stat"}

# JSON knows no enumerations: a member of one is there as its value. An annotation's target is a query of
# whatever it asks, which the types leave out. Panel's and Grafana's kinds are distinguished by their type.
PREAMBLE = """
import type { Dashboard, Panel, RowPanel, AnnotationQuery, AnnotationTarget } from '@grafana/schema';

type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends Array<infer U> ? Array<Plain<U>>
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Query = { refId: string; datasource: { type: string; uid: string }; editorType: 'sql';
  queryType: 'table' | 'timeseries'; format: 0 | 1; rawSql: string };
type Mark = Omit<AnnotationQuery, 'target'> & { target?: AnnotationTarget & Query };
type Whole = Omit<Dashboard, 'annotations' | 'panels'>
  & { annotations?: { list?: Array<Mark> }; panels: Array<Panel | RowPanel> };
"""


def _module(name: str) -> str:
    folder = f"@grafana/schema/dist/esm/raw/composable/{name.lower()}/panelcfg/x"
    return f"{folder}/{name}PanelCfg_types.gen"


def program(dashboard: Mapping[str, Any]) -> str:
    """Return a TypeScript program that holds a dashboard, and is right where Grafana's types say so."""
    kinds = sorted({panel["type"] for panel in grafana.panels(dashboard)})
    lines = [f"import type * as {name} from '{_module(name)}';" for name in map(KINDS.__getitem__, kinds)]
    lines.append(PREAMBLE)
    whole = {name: value for name, value in dashboard.items() if name != "panels"}
    lines.append(f"export const dashboard: Plain<Omit<Whole, 'panels'>> = {json.dumps(whole)};")
    for place, panel in enumerate(dashboard["panels"]):
        kind = "RowPanel" if panel["type"] == "row" else "Panel"
        lines.append(f"export const panel{place}: Plain<{kind}> = {json.dumps(panel)};")
        if kind == "Panel":
            name = KINDS[panel["type"]]
            options = json.dumps(panel.get("options", {}))
            lines.append(f"export const options{place}: Plain<Partial<{name}.Options>> = {options};")
            if panel["type"] not in WITHOUT_FIELDS:
                custom = json.dumps(panel["fieldConfig"]["defaults"].get("custom", {}))
                lines.append(f"export const custom{place}: Plain<Partial<{name}.FieldConfig>> = {custom};")
    return "\n".join(lines)


def complaints(folder: Path, dashboards: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    """Return what TypeScript has against dashboards, by name; those that are right are left out."""
    home = packages(PINNED)
    for name, dashboard in dashboards.items():
        (folder / f"{name}.ts").write_text(program(dashboard))
    (folder / "node_modules").symlink_to(home / "node_modules")
    settings = {
        "compilerOptions": {
            "strict": True,
            "noEmit": True,
            "skipLibCheck": True,
            "target": "es2022",
            "module": "esnext",
            "moduleResolution": "node",
            "types": [],
        },
        "include": ["*.ts"],
    }
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    compiler = home / "node_modules" / "typescript" / "lib" / "tsc.js"
    command = ["node", str(compiler), "--pretty", "false", "--project", "tsconfig.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    reported: dict[str, str] = {}
    for line in done.stdout.splitlines():
        name = line.partition(".ts(")[0]
        reported[name] = reported.get(name, "") + line + "\n"
    assert set(reported) <= set(dashboards), done.stdout
    return reported


def wrong(change: str) -> Mapping[str, Any]:
    """Return a dashboard with one thing wrong in it."""
    dashboard = copy.deepcopy(DASHBOARDS["driftline-feature"])
    panels = {panel["type"]: panel for panel in grafana.panels(dashboard)}
    match change:
        case "unknown field":
            dashboard["refreshes"] = "1m"
        case "wrong type":
            dashboard["time"]["from"] = 24
        case "unknown member":
            dashboard["templating"]["list"][0]["type"] = "sauce"
        case "unknown field of a panel":
            panels["table"]["descripton"] = "x"
        case "unknown option of a panel":
            panels["timeseries"]["options"]["legends"] = {}
        case "unknown setting of a field":
            panels["barchart"]["fieldConfig"]["defaults"]["custom"]["lineWidht"] = 1
        case "unknown unit of a threshold":
            panels["stat"]["fieldConfig"]["defaults"]["thresholds"] = {"mode": "relative", "steps": []}
        case "annotation without a query":
            del dashboard["annotations"]["list"][0]["target"]["rawSql"]
    return dashboard


WRONG = {
    "unknown field": "refreshes",
    "wrong type": "Type 'number' is not assignable",
    "unknown member": "sauce",
    "unknown field of a panel": "descripton",
    "unknown option of a panel": "legends",
    "unknown setting of a field": "lineWidht",
    "unknown unit of a threshold": "relative",
    "annotation without a query": "rawSql",
}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What TypeScript has against the dashboards, and against wrong ones: in one run, as it takes a while."""
    return complaints(
        tmp_path_factory.mktemp("types"), {**DASHBOARDS, **{change: wrong(change) for change in WRONG}}
    )


@pytest.mark.parametrize("uid", sorted(DASHBOARDS))
def test_a_dashboard_has_grafanas_own_type(reported, uid):
    assert reported.get(uid, "") == ""


@pytest.mark.parametrize("change", WRONG)
def test_what_is_wrong_does_not_pass(reported, change):
    assert WRONG[change] in reported[change]
    assert len(reported[change].splitlines()) == 1, "one thing is wrong"
