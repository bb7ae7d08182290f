"""Metrics of whoever brings features online."""

from __future__ import annotations

from driftline.metrics import Metric

NEWEST = "driftline_features_newest_timestamp_seconds"
TTL = "driftline_features_ttl_seconds"
MATERIALIZED = "driftline_features_materialized_timestamp_seconds"
ENTITIES = "driftline_features_materialized_values_total"
FAILURES = "driftline_features_failures_total"

FEATURE_METRICS = (
    Metric(
        NEWEST,
        "gauge",
        ("view",),
        "The newest event time of a view's rows that can be read, seconds since the Unix epoch.",
        ("DriftlineFeaturesStale",),
    ),
    Metric(
        TTL,
        "gauge",
        ("view",),
        "How old a view's values may be when they are read, seconds. Views whose values never expire have "
        "none.",
        ("DriftlineFeaturesStale",),
    ),
    Metric(
        MATERIALIZED,
        "gauge",
        ("view",),
        "As of when a view was brought online last, seconds since the Unix epoch; before the first time, "
        "when this process began.",
        ("DriftlineFeaturesStale",),
    ),
    Metric(ENTITIES, "counter", ("view",), "Rows that were brought online, of each entity one at a time."),
    Metric(
        FAILURES,
        "counter",
        ("view",),
        "Times that a view could not be brought online. It is tried again; other views go on.",
    ),
)
