"""The model: how far diabetes will have progressed in a year, by scikit-learn's diabetes data."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

MODEL_NAME, MODEL_VERSION = "diabetes-progression", "1"
FEATURES = (
    "age",
    "sex",
    "bmi",
    "blood_pressure",
    "total_cholesterol",
    "ldl",
    "hdl",
    "cholesterol_ratio",
    "log_triglycerides",
    "glucose",
)
SEXES = ("1", "2")
"""As the data has them; it does not say which is which."""

HIGH = 160.0
"""From here on the risk is called high."""

_SEED = 7
_TRAINED_SHARE = 0.6

Row = dict[str, Any]
"""A patient: value by feature. None: not measured."""


@dataclass(frozen=True)
class Model:
    """A trained model.

    Args:
        training_run_id: which run made it.
        pipeline: predicts from a matrix, columns as in FEATURES.
        medians: what stands in for a value that was not measured. Length n features.
    """

    training_run_id: str
    pipeline: Pipeline
    medians: list[float]

    def predict(self, rows: list[Row]) -> list[float]:
        """Return the progression of each patient. Length n."""
        matrix = [[self._number(row, place) for place in range(len(FEATURES))] for row in rows]
        return [float(number) for number in self.pipeline.predict(np.array(matrix))]

    def _number(self, row: Row, place: int) -> float:
        value = row[FEATURES[place]]
        if FEATURES[place] == "sex":
            value = float(value) if value in SEXES else None
        return self.medians[place] if value is None else float(value)


def read_patients() -> tuple[list[Row], list[float], int]:
    """Return all patients in random order, their progression, and how many of them are for training."""
    data = load_diabetes(scaled=False)
    order = np.random.default_rng(_SEED).permutation(len(data.data))
    rows = [
        {
            name: SEXES[int(value) - 1] if name == "sex" else float(value)
            for name, value in zip(FEATURES, data.data[place], strict=True)
        }
        for place in order
    ]
    return rows, [float(data.target[place]) for place in order], int(_TRAINED_SHARE * len(rows))


def train() -> tuple[Model, list[Row], list[float]]:
    """Return a model, the patients that it has not seen, and their progression."""
    rows, progression, count = read_patients()
    matrix = np.array([[float(row[name]) for name in FEATURES] for row in rows])
    pipeline = make_pipeline(StandardScaler(), Ridge(alpha=1.0))
    pipeline.fit(matrix[:count], progression[:count])
    weights = pipeline[-1].coef_.tobytes()
    run = f"diabetes-{hashlib.sha256(weights).hexdigest()[:12]}"
    medians = [float(value) for value in np.median(matrix[:count], axis=0)]
    return Model(run, pipeline, medians), rows[count:], progression[count:]
