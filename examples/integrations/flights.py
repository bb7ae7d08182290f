"""A model of late flights, as any service has one: trained on made-up flights, in a moment."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NAMES = {"model_name": "flight-delay", "model_version": "3", "training_run_id": "run-7f3a"}
FEATURES = ["distance", "departure_hour", "wind"]


def flights(count: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return so many flights, and whether each was late."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "distance": random.uniform(100, 3000, count),
            "departure_hour": random.integers(5, 24, count),
            "wind": random.exponential(10, count),
        }
    )
    risk = (frame["departure_hour"] - 14) / 4 + (frame["wind"] - 10) / 10 + random.normal(0, 1, count)
    return frame, np.where(risk > 0, "late", "on time")


def train() -> object:
    """Return a classifier of late flights."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(*flights(1_000))
