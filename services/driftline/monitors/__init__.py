"""Monitors as code: a YAML file says what is monitored of which model, and how."""

from driftline.monitors.model import FeatureMonitor, ModelMonitor, Monitors
from driftline.monitors.problems import MonitorsError
from driftline.monitors.read import read_monitors

__all__ = ["FeatureMonitor", "ModelMonitor", "Monitors", "MonitorsError", "read_monitors"]
