"""driftline: logs every prediction a model makes, lands it exactly once, and says honestly what drifted."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from driftline.sdk import (
    DataReference,
    DeployedModel,
    ModelWatch,
    PredictionLogger,
    Stats,
    register_training_run,
    resolve_model,
    training_run,
)

if TYPE_CHECKING:
    from driftline.notebook import compare as compare
    from driftline.notebook import read as read

__all__ = [
    "DataReference",
    "DeployedModel",
    "ModelWatch",
    "PredictionLogger",
    "Stats",
    "register_training_run",
    "resolve_model",
    "training_run",
]

_OF_NOTEBOOKS = frozenset({"compare", "read"})


def __getattr__(name: str) -> Any:
    """Return what needs the extra `notebook`, once it is asked for: services import the logger alone."""
    if name not in _OF_NOTEBOOKS:
        raise AttributeError(f"module 'driftline' has no attribute {name!r}")
    try:
        return getattr(import_module("driftline.notebook"), name)
    except ImportError as error:
        raise ImportError(f"driftline.{name} needs more: pip install 'driftline[notebook]'") from error
