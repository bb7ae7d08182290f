"""The lander's metrics."""

from __future__ import annotations

from driftline.metrics import Metric

EVENTS = "driftline_events_total"
LAG = "driftline_lander_lag_events"
STORE_FAILURES = "driftline_lander_store_failures_total"
LOG_FAILURES = "driftline_log_failures_total"
LOST = "driftline_lander_lost_offsets_total"
SETTLED = "driftline_lander_settled_parts_total"

LANDER_METRICS = (
    Metric(
        EVENTS,
        "counter",
        ("stage", "outcome"),
        "Events by stage (the topic they were landed from) and outcome: landed, dead_lettered, or repeated "
        "(its client warned that it may stand in the log twice, and it had landed before). An event "
        "that is repeated after a failure is counted once, when its batch is committed.",
        ("DriftlineDeadLetters", "DriftlineLanderLag"),
    ),
    Metric(
        LAG,
        "gauge",
        ("topic",),
        "Offsets in the log that are not landed yet: an upper bound of the events to come.",
        ("DriftlineLanderLag",),
    ),
    Metric(
        STORE_FAILURES,
        "counter",
        (),
        "Times that the store did not take a batch. The batch is repeated: nothing is lost.",
        ("DriftlineMetricsMissing", "DriftlineStoreAway"),
    ),
    Metric(
        LOG_FAILURES,
        "counter",
        (),
        "Times that the event log could not be read, or did not say how much waits in it. The lander tries "
        "again: nothing is lost while the log keeps it.",
        ("DriftlineLogAway",),
    ),
    Metric(
        LOST,
        "counter",
        ("topic",),
        "Offsets whose record was gone before it was landed: retention was shorter than the lag, or somebody "
        "deleted records. Those events are lost; the ledger says of which session.",
        ("DriftlineLostOffsets",),
    ),
    Metric(
        SETTLED,
        "counter",
        (),
        "Pieces of a repeated batch that the store remembered without holding them, put in anew.",
    ),
)
