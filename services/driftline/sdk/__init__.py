"""What lives inside other people's services: the prediction logger and the registration of training runs."""

from driftline.sdk.asgi import DriftlineMiddleware
from driftline.sdk.buffer import Stats
from driftline.sdk.data import DataReference
from driftline.sdk.deployed import DeployedModel, ModelWatch, resolve_model
from driftline.sdk.logger import PredictionLogger
from driftline.sdk.request import RequestContext, request_context
from driftline.sdk.training import register_training_run
from driftline.sdk.training_block import training_run
from driftline.sdk.wrapping import logged, wrap
from driftline.sdk.wsgi import DriftlineWSGIMiddleware
from driftline.wire.shapes import Ranking

__all__ = [
    "DataReference",
    "DeployedModel",
    "DriftlineMiddleware",
    "DriftlineWSGIMiddleware",
    "ModelWatch",
    "PredictionLogger",
    "Ranking",
    "RequestContext",
    "Stats",
    "logged",
    "register_training_run",
    "request_context",
    "resolve_model",
    "training_run",
    "wrap",
]
