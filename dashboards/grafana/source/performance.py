"""Panels on how right a version was, once its truths are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.grafana.source.panels import lines
from dashboards.grafana.source.queries import metric

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines

_SERVED = '{model_name="$model_name", model_version="$model_version"}'


def performance() -> Lines:
    """Return the newest value of each metric with its interval."""
    return lines(
        "Performance",
        "Each metric over the newest week of which nearly all truths are known, with its interval of 95 %. "
        "The page of the model has it period by period.",
        *(
            metric(f"max by (metric) (driftline_performance_{name}score{_SERVED})", legend, ref)
            for name, legend, ref in (
                ("", "{{metric}}", "A"),
                ("low_", "{{metric}}, from", "B"),
                ("high_", "{{metric}}, to", "C"),
            )
        ),
        unit="short",
    )


def drops() -> Lines:
    """Return how far a version fell behind its own past, or the version before it."""
    return lines(
        "Drops in performance",
        "How far each metric fell below what it was compared with, where that is sure: "
        "DriftlinePerformanceDrop. 0 means that none fell.",
        metric(
            f"max by (metric) (driftline_performance_drop_score{_SERVED}) or vector(0)", "{{metric}}", "A"
        ),
        unit="short",
    )
