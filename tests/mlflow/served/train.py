"""Trains a model on MLflow as a team does, and registers it; prints the run's id and the version.

Run: python train.py MODEL DEPTH [--autolog LOG] [--unregistered] [--fails]
"""

from __future__ import annotations

import argparse

import mlflow
import pandas as pd
from mlflow.models import infer_signature

FLIGHTS = pd.DataFrame({"distance": [733.0, 184.0], "delay": [1.5, 0.25]})


class Late(mlflow.pyfunc.PythonModel):
    """Says that every flight is late by what it learned."""

    def __init__(self, depth: int) -> None:
        self.depth = depth

    def predict(self, model_input: pd.DataFrame) -> list[float]:
        """Return one answer a row."""
        return [float(self.depth)] * len(model_input)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("depth", type=int)
    parser.add_argument("--autolog")
    parser.add_argument("--unregistered", action="store_true")
    parser.add_argument("--fails", action="store_true")
    asked = parser.parse_args()
    if asked.autolog:
        import driftline.mlflow  # noqa: PLC0415  the one line more, with the next

        driftline.mlflow.autolog(log=asked.autolog)
    mlflow.set_experiment("flights")
    with mlflow.start_run() as run:
        mlflow.log_param("depth", asked.depth)
        mlflow.log_metric("auc", 0.8 + asked.depth / 100)
        mlflow.set_tag("team", "ops")
        data = mlflow.data.from_pandas(FLIGHTS, source="s3://flights/2013.parquet", name="flights")
        mlflow.log_input(data, context="training")
        features = FLIGHTS[["distance"]]
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=Late(asked.depth),
            signature=infer_signature(features, [1.0]),
            pip_requirements=["pandas>=2"],
            registered_model_name=None if asked.unregistered else asked.model,
        )
        if asked.fails:
            raise SystemExit("the training failed")
    print(run.info.run_id, logged.registered_model_version)  # noqa: T201  what it is asked for


if __name__ == "__main__":
    main()
