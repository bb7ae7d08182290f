"""The bridge to MLflow: what its registry holds is copied into driftline's, and stays if it is deleted there.

``driftline mlflow sync`` asks a tracking server by its REST API, and needs no MLflow beside driftline.
"""

from driftline.mlflow.autologging import autolog

__all__ = ["autolog"]
