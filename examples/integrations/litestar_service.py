"""Litestar, with two lines of driftline: ``uvicorn litestar_service:app``."""

from dataclasses import asdict, dataclass

import pandas as pd
from flights import NAMES, train
from litestar import Litestar, post

from driftline import DriftlineMiddleware, PredictionLogger, wrap

model = wrap(train(), logger=PredictionLogger(**NAMES))


@dataclass
class Flight:
    """What is known of a flight."""

    distance: float
    departure_hour: int
    wind: float


@post("/predict", sync_to_thread=True)
def predict(data: list[Flight]) -> list[float]:
    """Return how likely each flight is late."""
    frame = pd.DataFrame([asdict(flight) for flight in data])
    return [float(late) for late in model.predict_proba(frame)[:, 0]]


app = Litestar([predict], middleware=[DriftlineMiddleware])
