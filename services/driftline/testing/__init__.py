"""A test kit for services that log: an event log in memory, and what was logged as plain records."""

from driftline.testing.events import Heartbeat, Outcome, Prediction, TrainingRun, read_events
from driftline.testing.memory import MemoryLog

__all__ = ["Heartbeat", "MemoryLog", "Outcome", "Prediction", "TrainingRun", "read_events"]
