"""Drift: what changed, how surely, and against what. Pure statistics and a judge that remembers."""

from driftline.domain.verdicts import Feature, Kind, Reference, Verdict, VerdictName
from driftline.drift.judge import Judge
from driftline.drift.settings import DriftSettings

__all__ = ["DriftSettings", "Feature", "Judge", "Kind", "Reference", "Verdict", "VerdictName"]
