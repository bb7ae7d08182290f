"""Panels on exceptions: events dropped or set aside, values that can't be encoded, failing streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.grafana.source.panels import lines
from dashboards.grafana.source.queries import metric

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines

_MODELS = '{job=~"$job", model_name=~"$model_name", model_version=~"$model_version"}'


def not_judged() -> Lines:
    """Return how many predictions are in no verdict."""
    return lines(
        "Dropped or set aside",
        "Predictions that sessions refused or gave up, and those that landed with a time that cannot be "
        "right: they are in no verdict.",
        metric(
            f"sum by (model_name, model_version, reason) (driftline_dropped_events_total{_MODELS})",
            "{{model_name}} {{model_version}} dropped: {{reason}}",
            "A",
        ),
        metric(
            f"sum by (model_name, model_version, reason) (driftline_set_aside_events_total{_MODELS})",
            "{{model_name}} {{model_version}} set aside: {{reason}}",
            "B",
        ),
        unit="short",
    )


def unencodable() -> Lines:
    """Return how many values the wire could not carry as they were."""
    return lines(
        "Values left out or rounded",
        "Values of features that the wire can't carry as they are; their predictions landed without them.",
        metric(
            "sum by (model_name, model_version, feature, outcome) "
            f"(driftline_unencodable_values_total{_MODELS}) or vector(0)",
            "{{model_name}} {{model_version}} {{feature}} {{outcome}}",
        ),
        unit="short",
    )


def undeclared() -> Lines:
    """Return how many predictions versions made that nobody registered, or that are not declared."""
    return lines(
        "Versions that nobody registered or declared",
        "Predictions of versions that the registry does not know, and of the last 15 minutes of versions "
        "that are not declared to be in production; 0 means that what answers is what was declared.",
        metric(
            _worst("driftline_unregistered_version_events"),
            "{{model_name}} {{model_version}} not registered",
            "A",
        ),
        metric(
            "sum by (model_name, model_version, declared, host) "
            f"(driftline_undeclared_version_events{_MODELS}) or vector(0)",
            "{{model_name}} {{model_version}} on {{host}}, declared: {{declared}}",
            "B",
        ),
        unit="short",
        width=24,
    )


def failing_alone() -> Lines:
    """Return what fails while all else goes on."""
    return lines(
        "Streams that fail alone",
        "How often in a row a stream could not be judged or derived. The others go on; 0 means none fails.",
        metric(
            _worst("driftline_worker_failing_attempts"),
            "judging {{model_name}} {{model_version}}",
            "A",
        ),
        metric(
            _worst("driftline_profiling_failing_attempts"),
            "deriving {{model_name}} {{model_version}}",
            "B",
        ),
        unit="short",
        width=24,
    )


def _worst(name: str) -> str:
    return f"max by (model_name, model_version) ({name}{_MODELS}) or vector(0)"
