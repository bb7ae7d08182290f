"""The sealer's metrics."""

from __future__ import annotations

from driftline.metrics import Metric

SEALED_ROWS = "driftline_audit_sealed_rows_total"
SEALED_LINKS = "driftline_audit_sealed_links_total"
SEALED_UNTIL = "driftline_audit_sealed_timestamp_seconds"
SECONDS = "driftline_audit_seconds_total"
FAILURES = "driftline_audit_failures_total"

SEALER_METRICS = (
    Metric(SEALED_ROWS, "counter", (), "Landed rows whose digests are in the chain of their model."),
    Metric(SEALED_LINKS, "counter", (), "Links of chains that were made."),
    Metric(
        SEALED_UNTIL,
        "gauge",
        (),
        "Up to when what landed is sealed, seconds since the Unix epoch. Seven minutes back is usual. Before "
        "the first time, when this process began to seal.",
        ("DriftlineSealingLag",),
    ),
    Metric(SECONDS, "counter", (), "Time spent sealing, seconds."),
    Metric(
        FAILURES,
        "counter",
        (),
        "Times that sealing failed. It is tried again; landing goes on meanwhile.",
    ),
)
