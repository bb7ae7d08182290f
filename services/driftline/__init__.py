"""driftline: logs every prediction a model makes, lands it exactly once, and says honestly what drifted."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from driftline.sdk import (
    DataReference,
    DeployedModel,
    DriftlineMiddleware,
    DriftlineWSGIMiddleware,
    ModelWatch,
    PredictionLogger,
    Ranking,
    RequestContext,
    Stats,
    logged,
    register_training_run,
    request_context,
    resolve_model,
    training_run,
    wrap,
)

if TYPE_CHECKING:
    from driftline.notebook import compare as compare
    from driftline.notebook import read as read

__all__ = [
    "DataReference",
    "DeployedModel",
    "DriftlineMiddleware",
    "DriftlineWSGIMiddleware",
    "ModelWatch",
    "PredictionLogger",
    "Ranking",
    "RequestContext",
    "Stats",
    "logged",
    "register_training_run",
    "request_context",
    "resolve_model",
    "training_run",
    "wrap",
]


_OF_NOTEBOOKS = frozenset({"compare", "read"})


def __getattr__(name: str) -> Any:
    """Return what is looked up late: services import the logger alone.

    `compare` and `read` need the extra `notebook`. ``__version__`` is the version that is installed;
    ``unknown`` in a checkout that is not.
    """
    if name == "__version__":
        return import_module("driftline.sdk.runtime").package_version("driftline") or "unknown"
    if name not in _OF_NOTEBOOKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module("driftline.notebook"), name)
    except ImportError as error:
        raise ImportError(f"driftline.{name} needs more: pip install 'driftline[notebook]'") from error
