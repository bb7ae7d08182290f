"""The drift worker's metrics."""

from __future__ import annotations

from driftline.metrics import Metric

SCORE = "driftline_drift_score"
VERDICT = "driftline_drift_verdict"
PAGES = "driftline_page_since_timestamp_seconds"
EVALUATED = "driftline_window_evaluated_timestamp_seconds"
COMPLETENESS = "driftline_completeness_ratio"
JUDGED = "driftline_verdicts_total"
REVISED = "driftline_late_hours_total"
INVALID = "driftline_invalid_values_total"
FAILURES = "driftline_worker_failures_total"

WORKER_METRICS = (
    Metric(
        SCORE,
        "gauge",
        ("model_name", "model_version", "feature", "statistic"),
        "The newest longest window against the production reference: effect (share of rows that moved) and "
        "the familiar statistics. These inform; the verdict decides.",
    ),
    Metric(
        VERDICT,
        "gauge",
        ("model_name", "model_version", "feature", "verdict"),
        "1 for the gravest verdict of the windows that ended last, over all scales and references; 0 for "
        "page and warn where it is another.",
        'verdict "page" is 1',
    ),
    Metric(
        PAGES,
        "gauge",
        ("model_name", "model_version", "page_id", "segment", "feature"),
        "Since when what an open page tells lasts, in seconds since the Unix epoch, by event time; one "
        "series a page, under its gravest finding. Gone once the page has ended, was accepted or called "
        "noise.",
        "is there",
    ),
    Metric(
        EVALUATED,
        "gauge",
        ("model_name", "model_version"),
        "End of the last window that was judged, in seconds since the Unix epoch, by event time.",
        "more than 2 hours behind the newest event",
    ),
    Metric(
        COMPLETENESS,
        "gauge",
        ("model_name", "model_version"),
        "Predictions landed of those that the sessions in production sent, since their beginning.",
        "below 0.99 for 10 minutes",
    ),
    Metric(
        INVALID,
        "counter",
        ("model_name", "model_version", "feature", "reason"),
        "Values in production that broke a rule, since the beginning; driftline invalid names events. It is "
        "read from the store, so it goes on after a restart. Unknown features are counted together.",
        "grows for 10 minutes",
    ),
    Metric(JUDGED, "counter", ("verdict",), "Verdicts given, by name.", ""),
    Metric(
        REVISED,
        "counter",
        (),
        "Hours that were judged anew, since their events arrived late, or were found to be missing.",
        "grows all the time: look what holds events up",
    ),
    Metric(
        FAILURES,
        "counter",
        (),
        "Times that the worker could not read or write the store. It tries again.",
        "grows for 10 minutes",
    ),
)
