"""What lives inside other people's services: the prediction logger and the registration of training runs."""

from driftline.sdk.buffer import Stats
from driftline.sdk.data import DataReference
from driftline.sdk.deployed import DeployedModel, ModelWatch, resolve_model
from driftline.sdk.logger import PredictionLogger
from driftline.sdk.training import register_training_run
from driftline.sdk.training_block import training_run

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
