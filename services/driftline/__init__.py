"""driftline: logs every prediction a model makes, lands it exactly once, and says honestly what drifted."""

from driftline.sdk import PredictionLogger, Stats, register_training_run

__all__ = ["PredictionLogger", "Stats", "register_training_run"]
