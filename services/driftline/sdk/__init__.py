"""What lives inside other people's services: the prediction logger and the registration of training runs."""

from driftline.sdk.buffer import Stats
from driftline.sdk.logger import PredictionLogger

__all__ = ["PredictionLogger", "Stats"]
