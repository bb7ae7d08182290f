"""The drift worker's metrics."""

from __future__ import annotations

from driftline.metrics import Metric

SCORE = "driftline_drift_score"
VERDICT = "driftline_drift_verdict"
INCIDENTS = "driftline_incident_since_timestamp_seconds"
INCIDENT = "driftline_incident_info"
EVALUATED = "driftline_window_evaluated_timestamp_seconds"
COMPLETENESS = "driftline_completeness_ratio"
JUDGED = "driftline_verdicts_total"
REVISED = "driftline_late_hours_total"
DROPPED = "driftline_dropped_events_total"
CHANGED = "driftline_unencodable_values_total"
INVALID = "driftline_invalid_values"
FAILURES = "driftline_worker_failures_total"
FAILING = "driftline_worker_failing_attempts"
SET_ASIDE = "driftline_set_aside_events_total"
NEWEST = "driftline_newest_event_timestamp_seconds"
UNREGISTERED = "driftline_unregistered_run_events"
UNREGISTERED_VERSION = "driftline_unregistered_version_events"
UNDECLARED = "driftline_undeclared_version_events"
MODEL = "driftline_model_info"
DISK_FREE = "driftline_store_disk_free_bytes"
DISK_SIZE = "driftline_store_disk_size_bytes"

WORKER_METRICS = (
    Metric(
        SCORE,
        "gauge",
        ("model_name", "model_version", "feature", "kind", "statistic"),
        "The newest longest window against the production reference: effect (share of rows that moved) and "
        "the descriptive statistics. These inform; the verdict decides.",
    ),
    Metric(
        VERDICT,
        "gauge",
        ("model_name", "model_version", "feature", "kind", "verdict"),
        "1 for the gravest verdict of the windows that ended last, over all scales and references; 0 for "
        "page and warn where it is another. What was called noise or accepted counts as ok.",
    ),
    Metric(
        INCIDENTS,
        "gauge",
        ("model_name", "model_version", "incident_id", "segment", "feature", "kind"),
        "Since when what an open incident tells lasts, in seconds since the Unix epoch, by event time; one "
        "series an incident, under its gravest finding. kind says what that is about: data (what the model "
        "is given) or prediction (what it answers). Gone once the incident has ended, was accepted or called "
        "noise.",
        ("DriftlineDataDrift", "DriftlinePredictionDrift"),
    ),
    Metric(
        INCIDENT,
        "gauge",
        ("incident_id", "finding"),
        "1 for each open incident, with what moved most in words, from where to where. Its alerts say it.",
    ),
    Metric(
        EVALUATED,
        "gauge",
        ("model_name", "model_version"),
        "Up to when windows were judged, in seconds since the Unix epoch, by event time; before the first "
        "one, when the first event was.",
        ("DriftlineWorkerLate",),
    ),
    Metric(
        NEWEST,
        "gauge",
        ("model_name", "model_version"),
        "Time of the newest event in production that has landed, in seconds since the Unix epoch.",
        ("DriftlineWorkerLate",),
    ),
    Metric(
        COMPLETENESS,
        "gauge",
        ("model_name", "model_version"),
        "Predictions landed of those that the sessions in production sent or refused, in the last 24 hours "
        "by event time; driftline completeness tells it since the beginning.",
        ("DriftlineIncompleteData",),
    ),
    Metric(
        DROPPED,
        "counter",
        ("model_name", "model_version", "reason"),
        "Predictions in production that their sessions refused or gave up, since the beginning. It is read "
        "from the store, so it goes on after a restart. A session says it within seconds.",
        ("DriftlineEventsDropped",),
    ),
    Metric(
        CHANGED,
        "counter",
        ("model_name", "model_version", "feature", "outcome"),
        "Values in production that the wire can't carry as they are, since the beginning, likewise: outcome "
        "left_out, or rounded to the nearest double. Of the 100 features with most; others are (others).",
    ),
    Metric(
        UNREGISTERED,
        "gauge",
        ("model_name", "model_version"),
        "Predictions in production of the last 24 hours, by event time, whose training run is not "
        "registered.",
        ("DriftlineUnknownTrainingRun",),
    ),
    Metric(
        UNREGISTERED_VERSION,
        "gauge",
        ("model_name", "model_version"),
        "Predictions in production of the last 24 hours, by event time, of a version that the model "
        "registry does not know; of versions that it knows there is no series.",
        ("DriftlineUnregisteredVersion",),
    ),
    Metric(
        UNDECLARED,
        "gauge",
        ("model_name", "model_version", "environment", "declared", "host", "session_id"),
        "Predictions that landed in the last 15 minutes of a version that is not declared to be in "
        "production in their environment, made two minutes after the decision or later; declared is the "
        "version that is, or none. One series a session, of the 20 with most.",
        ("DriftlineUndeclaredVersion",),
    ),
    Metric(
        MODEL,
        "gauge",
        ("model_name", "team", "project"),
        "1 for each model that is served, or drops what it is given, with the team that the file of monitors "
        "names in its labels, and the project that it was registered in; empty where there is none. Alerts "
        "take their team and project from here.",
    ),
    Metric(
        INVALID,
        "gauge",
        ("model_name", "model_version", "feature", "reason"),
        "Values in production that broke a rule, in the newest two hours of which events have landed; "
        "driftline invalid tells of all, and names events.",
        ("DriftlineInvalidPredictions",),
    ),
    Metric(JUDGED, "counter", ("verdict",), "Verdicts given, by name."),
    Metric(
        REVISED,
        "counter",
        (),
        "Hours that were judged anew, since their events arrived late, or were found to be missing. Where "
        "it grows all the time, something holds events up.",
    ),
    Metric(
        FAILURES,
        "counter",
        (),
        "Times that the worker could not read or write the store. It tries again.",
        ("DriftlineMetricsMissing", "DriftlineStoreAway"),
    ),
    Metric(
        FAILING,
        "gauge",
        ("model_name", "model_version", "environment"),
        "How often in a row a stream could not be judged or exported. The others go on. Gone once "
        "it succeeds.",
        ("DriftlineStreamFailing",),
    ),
    Metric(
        SET_ASIDE,
        "counter",
        ("model_name", "model_version", "reason"),
        "Predictions in production, since the beginning, that are in the store and in no profile or verdict, "
        "since their time cannot be right. future: more than a day ahead of their landing; old: of 1970; "
        "late: more than five weeks behind what was judged when they landed.",
        ("DriftlineEventsSetAside",),
    ),
    Metric(
        DISK_FREE,
        "gauge",
        (),
        "What is free on the store's fullest disk, as the store sees it.",
        ("DriftlineDiskFilling",),
    ),
    Metric(
        DISK_SIZE,
        "gauge",
        (),
        "How large that disk is. 0: not known yet.",
        ("DriftlineDiskFilling",),
    ),
)
