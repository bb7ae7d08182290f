"""The metrics of performance, which the profiler exports."""

from __future__ import annotations

from driftline.metrics import Metric

VALUE = "driftline_performance_score"
LOW = "driftline_performance_low_score"
HIGH = "driftline_performance_high_score"
DROP = "driftline_performance_drop_score"
ESTIMATE = "driftline_performance_estimate_score"
ESTIMATE_LOW = "driftline_performance_estimate_low_score"
ESTIMATE_HIGH = "driftline_performance_estimate_high_score"
ESTIMATE_ERROR = "driftline_performance_estimate_error_score"
ESTIMATE_DROP = "driftline_performance_estimate_drop_score"
WITHDRAWN = "driftline_performance_estimate_withdrawn_verdict"

_LABELS = ("model_name", "model_version", "metric")

PERFORMANCE_METRICS = (
    Metric(
        VALUE,
        "gauge",
        _LABELS,
        "How right a version in production was in the newest week of which nearly all truths are known, by "
        "metric: roc_auc and brier_score, accuracy, or mae; and business_value, a prediction, in the "
        "currency of the file of monitors, where that says what answers are worth. Of versions that served "
        "in the last week.",
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
    Metric(
        ESTIMATE,
        "gauge",
        _LABELS,
        "How right a version in production is likely to be by its scores, on the newest day whose truths are "
        "not all there. Gone while the estimate is withdrawn. It cannot see concept drift before truths do.",
    ),
    Metric(ESTIMATE_LOW, "gauge", _LABELS, "Where the interval of the estimate, of 95 %, begins."),
    Metric(ESTIMATE_HIGH, "gauge", _LABELS, "Where the interval of the estimate, of 95 %, ends."),
    Metric(
        ESTIMATE_ERROR,
        "gauge",
        _LABELS,
        "By how much estimates of earlier days were off what these came to, root mean square, in the "
        "metric's unit.",
    ),
    Metric(
        ESTIMATE_DROP,
        "gauge",
        _LABELS,
        "How much worse the estimate is than the newest week of which nearly all truths are known, in the "
        "metric's unit; 0: not worse, or not surely, or by less than 5 %, or withdrawn.",
    ),
    Metric(
        WITHDRAWN,
        "gauge",
        _LABELS,
        "Whether the estimate is withdrawn, since it erred by more than it allowed for where truths have "
        "come: 1, else 0.",
    ),
)
