"""What Grafana refused, reported so that a person can act on it."""

from __future__ import annotations

from driftline.errors import DriftlineError


class GrafanaError(DriftlineError):
    """Grafana can't be used, or refused."""


class GrafanaConflictError(GrafanaError):
    """What is in Grafana was changed by somebody else."""
