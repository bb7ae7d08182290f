"""Drift: what changed, how surely, and against what. Pure statistics and a judge that remembers."""

from driftline.drift.judge import Judge
from driftline.drift.settings import DriftSettings
from driftline.drift.verdict import Feature, Kind, Reference, Verdict, VerdictName

__all__ = ["DriftSettings", "Feature", "Judge", "Kind", "Reference", "Verdict", "VerdictName"]
