"""What Grafana does with a dashboard before it asks: finds its queries, and puts in variables and macros.

The macros are those of Grafana's ClickHouse data source and of its Prometheus one, as they document them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FOLDER = Path(__file__).resolve().parents[2] / "dashboards" / "grafana"
ALL = "$__all"

_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)|\[\[(\w+)\]\]")
_CONDITIONAL = "$__conditionalAll("


@dataclass(frozen=True)
class Query:
    """One query, and whose it is: a panel's, a variable's or an annotation's.

    Args:
        dashboard: uid.
        owner: title of the panel, or name of the variable or annotation.
        text: SQL or PromQL, as it stands in the JSON.
        is_sql: which of them.
        is_instant: PromQL: asked for one moment.
    """

    dashboard: str
    owner: str
    text: str
    is_sql: bool
    is_instant: bool = False

    def __str__(self) -> str:
        return f"{self.dashboard.removeprefix('driftline-')}: {self.owner}"


def load() -> Mapping[str, dict[str, Any]]:
    """Return every committed dashboard by its uid."""
    found = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return {dashboard["uid"]: dashboard for dashboard in found}


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard, without the rows that they stand in."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels") or ()
        else:
            yield panel


def variables(dashboard: Mapping[str, Any]) -> Mapping[str, dict[str, Any]]:
    """Return a dashboard's variables by name."""
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def queries(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Yield every query of a dashboard."""
    uid = dashboard["uid"]
    for panel in panels(dashboard):
        for target in panel["targets"]:
            is_sql = "rawSql" in target
            text = target["rawSql"] if is_sql else target["expr"]
            yield Query(uid, panel["title"], text, is_sql, bool(target.get("instant")))
    for name, variable in variables(dashboard).items():
        if variable["type"] == "query":
            is_sql = variable["datasource"]["type"] == "grafana-clickhouse-datasource"
            yield Query(uid, f"variable {name}", variable["query"], is_sql)
    for mark in dashboard.get("annotations", {}).get("list", ()):
        yield Query(uid, f"annotation {mark['name']}", mark["target"]["rawSql"], is_sql=True)


def matcher(given: Mapping[str, str]) -> Callable[[str], bool]:
    """Return whether a column is what an override is for; a pattern stands between slashes."""
    if given["id"] == "byName":
        return lambda column: column == given["options"]
    assert given["id"] == "byRegexp"
    pattern = re.fullmatch(r"/(.*)/", given["options"])
    assert pattern is not None, f"{given}: without slashes Grafana puts ^ before it and $ behind it"
    return lambda column: re.search(pattern[1], column) is not None


def options(variable: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what a variable of fixed options offers, by value, as Grafana reads it from its text."""
    found = {}
    for part in re.split(r"(?<!\\),", variable["query"]):
        pair = re.fullmatch(r"\s*(.+)\s:\s(.+)", part)
        text, value = (pair[1], pair[2]) if pair else (part.strip(), part.strip())
        found[value.strip()] = text.strip()
    return found


def put_in_variables(text: str, values: Mapping[str, str]) -> str:
    """Put the values of variables where their names stand, as they are to be written there.

    Raises:
        KeyError: there is no such variable.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3] or match[4]
        return match[0] if name.startswith("__") else _written(values[name], match[2])

    return _VARIABLE.sub(value, text)


def _written(value: str, form: str | None) -> str:
    if form is None:
        return ".*" if value == ALL else value
    if form == "sqlstring":
        return "'" + value.replace("'", "''") + "'"
    if form == "percentencode":
        return quote(value, safe="")
    raise ValueError(form)


def expand_sql(text: str, values: Mapping[str, str], *, first_s: int, end_s: int, step_s: int) -> str:
    """Return what the store is asked, for a time range in seconds since the Unix epoch."""
    sql = put_in_variables(_decide_conditionals(text, values), values)
    first, end = f"toDateTime({first_s})", f"toDateTime({end_s})"
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= {first} AND \1 <= {end}", sql)
    sql = re.sub(
        r"\$__timeInterval\((\w+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {step_s} second)", sql
    )
    for macro, replacement in (("fromTime", first), ("toTime", end), ("interval_s", str(step_s))):
        sql = re.sub(rf"\$__{macro}\b", replacement, sql)
    assert "$__" not in sql, f"a macro that is not known: {sql}"
    return sql


def _decide_conditionals(text: str, values: Mapping[str, str]) -> str:
    """Put ``1=1`` for a condition whose variable is anything. From the last on, since they may nest."""
    while (at := text.rfind(_CONDITIONAL)) >= 0:
        begin = at + len(_CONDITIONAL)
        depth, comma, end = 1, -1, begin
        while depth:
            character = text[end]
            depth += (character == "(") - (character == ")")
            comma = end if character == "," and depth == 1 else comma
            end += 1
        name = text[comma + 1 : end - 1].strip().removeprefix("$")
        condition = "1=1" if values[name] in {"", ALL} else text[begin:comma]
        text = text[:at] + condition + text[end:]
    return text


def expand_promql(text: str, values: Mapping[str, str], *, rate_s: int, range_s: int) -> str:
    """Return what Prometheus is asked."""
    text = text.replace("$__rate_interval", f"{rate_s}s").replace("$__range", f"{range_s}s")
    promql = put_in_variables(text, values)
    assert "$" not in promql, f"a macro that is not known: {promql}"
    return promql
