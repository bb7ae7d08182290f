"""Metrics of whoever asks whether models are to be trained again."""

from __future__ import annotations

from driftline.metrics import Metric

DECISIONS = "driftline_retrain_decisions_total"
BLOCKED = "driftline_retrain_blocked_seconds"
ASKED = "driftline_retrain_asked_timestamp_seconds"
FAILURES = "driftline_retrain_failures_total"

RETRAIN_METRICS = (
    Metric(
        DECISIONS,
        "counter",
        ("model_name", "action"),
        "Decisions about training a model again: retrain, wait or refuse.",
    ),
    Metric(
        BLOCKED,
        "gauge",
        ("model_name", "reason"),
        "For how long there has been a cause to train a model again, while something refuses it: the first "
        "reason. Not there where there is no cause, or nothing refuses.",
        ("DriftlineRetrainBlocked",),
    ),
    Metric(
        ASKED,
        "gauge",
        ("model_name",),
        "When a model was asked about last, seconds since the Unix epoch.",
    ),
    Metric(
        FAILURES,
        "counter",
        ("model_name",),
        "Times that a model could not be asked about, or that what was decided was not carried out. It is "
        "tried again.",
    ),
)
