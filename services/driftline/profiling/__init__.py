"""Profiling: what is counted of each hour, derived from its raw rows, and again whenever these change."""

from driftline.profiling.metrics import PROFILER_METRICS
from driftline.profiling.service import Profiler

__all__ = ["PROFILER_METRICS", "Profiler"]
