"""FastAPI, with two lines of driftline: ``uvicorn fastapi_service:app --workers 2``."""

import pandas as pd
from fastapi import FastAPI
from flights import FEATURES, NAMES, train
from pydantic import BaseModel

from driftline import DriftlineMiddleware, PredictionLogger, wrap


class Flight(BaseModel):
    """What is known of a flight."""

    distance: float
    departure_hour: int
    wind: float


model = wrap(train(), logger=PredictionLogger(**NAMES))
app = FastAPI()
app.add_middleware(DriftlineMiddleware)


@app.post("/predict")
def predict(flights: list[Flight]) -> dict[str, list]:
    """Return how likely each flight is late, and under which id that was logged."""
    frame = pd.DataFrame([flight.model_dump() for flight in flights], columns=FEATURES)
    late = model.predict_proba(frame)[:, 0]
    return {"late": late.tolist(), "event_ids": list(model.event_ids)}
