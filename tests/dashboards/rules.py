"""The alert rules, read: what they ask for, and what their unit tests say of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "dashboards" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"

_OWN = re.compile(r"(?<![\w:/-])driftline_\w+(?!:)\b")
_RECORDED = re.compile(r"\b\w+:driftline_\w+:\w+")
_SELECTED = re.compile(r"(driftline_\w+)\{([^}]*)\}")


@dataclass(frozen=True)
class Alert:
    """One alert rule.

    Args:
        name: of the alert; several rules may share one, with different severities.
        rule: as it stands in its file.
        expression: its own, with those of the recording rules that it names.
    """

    name: str
    rule: Mapping[str, Any]
    expression: str

    @property
    def severity(self) -> str:
        return self.rule["labels"]["severity"]

    @property
    def metrics(self) -> set[str]:
        """Names of the metrics it asks for; those that only carry labels left out."""
        return {name for name in metrics_in(self.expression) if not name.endswith("_info")}


def metrics_in(expression: str) -> set[str]:
    """Return the names of driftline's metrics in an expression."""
    return set(_OWN.findall(expression))


def selected_labels(expression: str) -> Iterator[tuple[str, str]]:
    """Yield each metric with each label that it is selected by."""
    for name, matchers in _SELECTED.findall(expression):
        yield from ((name, label) for label in re.findall(r"(\w+)\s*[=!]", matchers))


def grouped_labels(expression: str) -> set[str]:
    """Return the labels that an expression groups or joins by."""
    groups = re.findall(r"\b(?:by|on|group_left|without|ignoring) ?\(([^)]*)\)", expression)
    return {label.strip() for group in groups for label in group.split(",") if label.strip()}


def read_rules() -> Sequence[Mapping[str, Any]]:
    """Return all rules, those that record first."""
    read = [yaml.safe_load(file.read_text()) for file in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    rules = [rule for file in read for group in file["groups"] for rule in group["rules"]]
    return sorted(rules, key=lambda rule: "alert" in rule)


def read_alerts() -> Sequence[Alert]:
    """Return all alert rules."""
    rules = read_rules()
    recorded = {rule["record"]: rule["expr"] for rule in rules if "record" in rule}
    return [
        Alert(
            rule["alert"],
            rule,
            "\n".join([rule["expr"], *(recorded[name] for name in _RECORDED.findall(rule["expr"]))]),
        )
        for rule in rules
        if "alert" in rule
    ]


@dataclass(frozen=True)
class Expected:
    """What a unit test expects of an alert at some time; no alerts: that it does not fire."""

    name: str
    alerts: Sequence[Mapping[str, Any]]


def read_expected() -> Sequence[Expected]:
    """Return what the unit tests of the rules expect."""
    read = [yaml.safe_load(file.read_text()) for file in sorted((PROMETHEUS / "tests").glob("*.yml"))]
    return [
        Expected(case["alertname"], case["exp_alerts"])
        for file in read
        for test in file["tests"]
        for case in test["alert_rule_test"]
    ]
