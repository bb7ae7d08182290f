"""The metrics of performance, which the profiler exports."""

from __future__ import annotations

from driftline.metrics import Metric

VALUE = "driftline_performance_score"
LOW = "driftline_performance_low_score"
HIGH = "driftline_performance_high_score"
DROP = "driftline_performance_drop_score"

_LABELS = ("model_name", "model_version", "metric")

PERFORMANCE_METRICS = (
    Metric(
        VALUE,
        "gauge",
        _LABELS,
        "How right a version in production was in the newest week of which nearly all truths are known, by "
        "metric: roc_auc and brier_score, accuracy, or mae. Of versions that served in the last week.",
    ),
    Metric(LOW, "gauge", _LABELS, "Where its interval, of 95 %, begins."),
    Metric(HIGH, "gauge", _LABELS, "Where its interval, of 95 %, ends."),
    Metric(
        DROP,
        "gauge",
        (*_LABELS, "against"),
        "How much worse that is than the four weeks before, or than the version before, which against names, "
        "in the metric's unit; 0: not worse, or not surely, or by less than 5 %.",
        ("DriftlinePerformanceDrop",),
    ),
)
