"""What lives inside other people's services: the prediction logger and the registration of training runs."""

from driftline.sdk.buffer import Stats
from driftline.sdk.logger import PredictionLogger
from driftline.sdk.training import register_training_run

__all__ = ["PredictionLogger", "Stats", "register_training_run"]
