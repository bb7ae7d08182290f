"""Figures that more than one dashboard shows: of the whole fleet on one, of one version on another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.grafana.source.panels import GREEN, RED, YELLOW, number, steps
from dashboards.grafana.source.queries import metric_now

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.stat import Panel as Stat


NOT_TRAINING = 'reason!~".*_training_range"'
"""What the training data held none of may well be right."""


def completeness(title: str, description: str, expression: str) -> Stat:
    """Return a share of what was sent that landed, in the colours of its alerts."""
    return number(title, description, metric_now(expression), unit="percentunit").thresholds(
        steps((None, RED), (0.95, YELLOW), (0.99, GREEN))
    )


def invalid_values(expression: str) -> Stat:
    """Return how many values broke a rule."""
    return _none_is_good(
        "Invalid values", "Values in production that broke a rule, in the newest two hours.", expression
    )


def unknown_runs(expression: str) -> Stat:
    """Return how many predictions can't be traced."""
    return _none_is_good(
        "Of unknown runs",
        "Predictions of the last 24 hours whose training run nobody registered: they can't be traced.",
        expression,
    )


def _none_is_good(title: str, description: str, expression: str) -> Stat:
    return number(title, description, metric_now(f"sum({expression}) or vector(0)"), unit="short").thresholds(
        steps((None, GREEN), (1, YELLOW))
    )
