"""driftline: logs every prediction a model makes, lands it exactly once, and says honestly what drifted."""

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
