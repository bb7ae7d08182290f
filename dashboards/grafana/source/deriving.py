"""How the profiler gets on: what waits to be derived, how far behind it is, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.grafana.source.panels import GREEN, RED, YELLOW, leveled, lines
from dashboards.grafana.source.queries import JOB, metric

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines


def dirty_hours() -> Lines:
    """Return what waits."""
    return lines(
        "Dirty hours",
        "Hours that are to be derived, of each profiler: late or new rows, or another recipe. The open hour "
        "of a stream that serves is among them most of the time.",
        metric(f"driftline_profiling_dirty_hours{JOB}", "{{instance}}"),
        unit="short",
        width=8,
    )


def lag() -> Lines:
    """Return how far what is derived is behind what landed."""
    panel = lines(
        "Deriving behind landing",
        "Since when something that landed is not derived: verdicts and invalid values know nothing of it.",
        metric(f"driftline_profiling_lag_seconds{JOB}", "{{instance}}"),
        unit="s",
        width=8,
    )
    return leveled(panel, (None, GREEN), (600, YELLOW), (1800, RED))


def time_spent() -> Lines:
    """Return what deriving costs."""
    return lines(
        "Time spent deriving",
        "Seconds a second, of each profiler. Near 100 % it does nothing else, and falls behind with more.",
        metric(f"rate(driftline_profiling_seconds_total{JOB}[$__rate_interval])", "{{instance}}"),
        unit="percentunit",
        width=8,
    )


def derived_rows() -> Lines:
    """Return how many rows are gone through."""
    return lines(
        "Rows derived",
        "Raw rows that derived hours were made of, a second. An hour that is derived again counts again.",
        metric(f"rate(driftline_profiling_derived_rows_total{JOB}[$__rate_interval])", "{{instance}}"),
        unit="rowsps",
        width=8,
    )


def derived_hours() -> Lines:
    """Return how many hours are derived."""
    return lines(
        "Hours derived",
        "Hours a second, for the first time or again.",
        metric(f"rate(driftline_profiling_derived_hours_total{JOB}[$__rate_interval])", "{{instance}}"),
        unit="ops",
        width=8,
    )


def failures() -> Lines:
    """Return how often it failed."""
    return lines(
        "Deriving: failures",
        "Times that the profiler could not read or write the store. It tries again; landing goes on.",
        metric(f"increase(driftline_profiling_failures_total{JOB}[$__rate_interval])", "{{instance}}"),
        unit="short",
        width=8,
    )
