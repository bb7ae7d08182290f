"""What goes wrong between MLflow and driftline."""

from __future__ import annotations

from driftline.errors import DriftlineError


class MlflowError(DriftlineError):
    """MLflow refuses what it is asked, or answers what no MLflow would; the message says what to do."""


class MlflowAwayError(MlflowError):
    """MLflow does not answer, or lets nobody in; nothing else can be asked of it now."""


class ArtifactError(MlflowError):
    """Files of a model can't be read; what MLflow says of the model can."""
