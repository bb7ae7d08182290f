"""The profiler's metrics."""

from __future__ import annotations

from driftline.metrics import Metric
from driftline.performance.metrics import PERFORMANCE_METRICS

DIRTY = "driftline_profiling_dirty_hours"
LAG = "driftline_profiling_lag_seconds"
SECONDS = "driftline_profiling_seconds_total"
HOURS = "driftline_profiling_derived_hours_total"
ROWS = "driftline_profiling_derived_rows_total"
FAILURES = "driftline_profiling_failures_total"

FAILING = "driftline_profiling_failing_attempts"

PROFILER_METRICS = (
    *PERFORMANCE_METRICS,
    Metric(
        DIRTY,
        "gauge",
        (),
        "Hours whose profiles are not what their rows and the recipe make of them. The open hour of each "
        "stream is one of them most of the time: it is derived again at a pace set by what that costs.",
    ),
    Metric(
        LAG,
        "gauge",
        (),
        "Since when something that landed is not derived, seconds; 0: everything is.",
        ("DriftlineProfilingLag",),
    ),
    Metric(SECONDS, "counter", (), "Time spent deriving, seconds."),
    Metric(HOURS, "counter", (), "Hours derived, again or for the first time."),
    Metric(ROWS, "counter", (), "Raw rows that derived hours were made of."),
    Metric(
        FAILURES,
        "counter",
        (),
        "Times that deriving failed. It is tried again; landing goes on meanwhile.",
        ("DriftlineMetricsMissing", "DriftlineStoreAway"),
    ),
    Metric(
        FAILING,
        "gauge",
        ("model_name", "model_version", "environment"),
        "How often in a row an hour of a stream could not be derived, or, without a version, a model's grids "
        "and rules not be learned. The others go on. Gone once it succeeds.",
        ("DriftlineStreamFailing",),
    ),
)
