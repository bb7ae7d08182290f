"""Metrics of whoever follows an MLflow."""

from __future__ import annotations

from driftline.metrics import Metric

FOLLOWED = "driftline_mlflow_synchronised_timestamp_seconds"
FAILURES = "driftline_mlflow_failures_total"
COPIED = "driftline_mlflow_copied_total"
FAILING = "driftline_mlflow_failing_attempts"
HINTS = "driftline_mlflow_hints_total"

MLFLOW_METRICS = (
    Metric(
        FOLLOWED,
        "gauge",
        (),
        "When the newest look at MLflow that came to its end began, in seconds since the Unix epoch; before "
        "the first one, when this process did. What moved there until then is in the registry.",
        ("DriftlineMlflowBehind",),
    ),
    Metric(
        FAILURES,
        "counter",
        (),
        "Looks that failed as a whole, since MLflow or the log was away or refused. They are tried again.",
    ),
    Metric(
        COPIED,
        "counter",
        ("what",),
        "What was copied: version, revision (MLflow says something else of a version), or decision (an alias "
        "or a stage moved).",
    ),
    Metric(
        FAILING,
        "gauge",
        ("model_name", "what"),
        "How often in a row a version or an alias could not be copied, or stands otherwise here since "
        "somebody moved it here. The others go on. Gone once it succeeds. Of 100 at most.",
    ),
    Metric(
        HINTS,
        "counter",
        ("outcome",),
        "Calls of MLflow's webhook: accepted, or refused since they are not signed with the secret.",
    ),
)
