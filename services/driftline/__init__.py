"""driftline: logs every prediction a model makes, lands it exactly once, and says honestly what drifted."""

from typing import Any

from driftline.sdk import (
    DataReference,
    DeployedModel,
    DriftlineMiddleware,
    DriftlineWSGIMiddleware,
    ModelWatch,
    PredictionLogger,
    RequestContext,
    Stats,
    logged,
    register_training_run,
    request_context,
    resolve_model,
    training_run,
    wrap,
)

__all__ = [
    "DataReference",
    "DeployedModel",
    "DriftlineMiddleware",
    "DriftlineWSGIMiddleware",
    "ModelWatch",
    "PredictionLogger",
    "RequestContext",
    "Stats",
    "logged",
    "register_training_run",
    "request_context",
    "resolve_model",
    "training_run",
    "wrap",
]


def __getattr__(name: str) -> Any:
    """Return ``__version__``, the version that is installed; ``unknown`` in a checkout that is not."""
    if name == "__version__":
        from driftline.sdk.runtime import package_version  # noqa: PLC0415  looking takes a while

        return package_version("driftline") or "unknown"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
