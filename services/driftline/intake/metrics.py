"""Metrics of the intake."""

from __future__ import annotations

from driftline.metrics import Metric

REQUESTS = "driftline_intake_requests_total"
EVENTS = "driftline_intake_events_total"
LOG_FAILURES = "driftline_intake_log_failures_total"
UNPAIRED = "driftline_intake_unpaired_total"
WAITING = "driftline_intake_waiting_events"

INTAKE_METRICS = (
    Metric(
        REQUESTS,
        "counter",
        ("route", "status"),
        "Requests by route (events, cloudevents, logs) and the status that they were answered with.",
    ),
    Metric(
        EVENTS,
        "counter",
        ("kind", "outcome"),
        "Predictions and outcomes that were appended to the log, or refused. What a sender repeats is "
        "appended again, and landed once.",
    ),
    Metric(
        LOG_FAILURES,
        "counter",
        (),
        "Batches that the log did not take: they were answered with 503, and their senders are to send them "
        "again.",
        ("DriftlineIntakeFailing",),
    ),
    Metric(
        UNPAIRED,
        "counter",
        ("half", "reason"),
        "Requests or responses of CloudEvents that were given up without the other half: expired, or since "
        "too many waited (full).",
    ),
    Metric(
        WAITING,
        "gauge",
        (),
        "Halves of CloudEvents that wait for the other one.",
    ),
)
