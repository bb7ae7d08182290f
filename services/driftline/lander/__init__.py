"""The lander: from the event log into the store, exactly once."""

from driftline.lander.metrics import LANDER_METRICS
from driftline.lander.service import Lander

__all__ = ["LANDER_METRICS", "Lander"]
