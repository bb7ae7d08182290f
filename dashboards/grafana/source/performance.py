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


def estimates() -> Lines:
    """Return how right a version is likely to be, before its truths come."""
    return lines(
        "Estimated performance",
        "How right the version is likely to be on the newest day whose truths are not all there, by its "
        "scores, with its interval of 95 %. Empty while the estimate is withdrawn. It cannot see concept "
        "drift.",
        *(
            metric(f"max by (metric) (driftline_performance_estimate_{name}score{_SERVED})", legend, ref)
            for name, legend, ref in (
                ("", "{{metric}}", "A"),
                ("low_", "{{metric}}, from", "B"),
                ("high_", "{{metric}}, to", "C"),
            )
        ),
        unit="short",
    )


def trust() -> Lines:
    """Return how far estimates were off, and whether they are withdrawn."""
    return lines(
        "Trust in the estimate",
        "By how much estimates of earlier days were off, how much worse the newest one is than the newest "
        "known week, and whether it is withdrawn (1).",
        *(
            metric(
                f"max by (metric) (driftline_performance_estimate_{name}{_SERVED}) or vector(0)", legend, ref
            )
            for name, legend, ref in (
                ("error_score", "{{metric}}, error", "A"),
                ("drop_score", "{{metric}}, drop", "B"),
                ("withdrawn_verdict", "{{metric}}, withdrawn", "C"),
            )
        ),
        unit="short",
    )
