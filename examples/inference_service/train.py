"""Trains the model, registers its training run with the rows that serving is compared with, and keeps it.

It goes to ``MODEL_PATH``; where that is there already, nothing is done.
"""

import os
from pathlib import Path

import joblib
import numpy as np
from model import FEATURES, HIGH, MODEL_NAME, MODEL_VERSION, train

from driftline import register_training_run


def main() -> None:
    """Train, register and write, once."""
    path = Path(os.environ.get("MODEL_PATH", "model.joblib")).resolve()
    if path.exists():
        print(f"{path} is there already")
        return
    model, unseen, progression = train()
    predictions = model.predict(unseen)
    error = float(np.sqrt(np.mean((np.array(predictions) - np.array(progression)) ** 2)))
    draft = path.with_suffix(".draft")
    joblib.dump(model, draft)
    register_training_run(
        model.training_run_id,
        model_name=MODEL_NAME,
        model_version=MODEL_VERSION,
        artifact=draft,
        artifact_uri=path.as_uri(),
        git_commit=os.environ.get("GIT_COMMIT"),
        waive={"code": "the image was built without GIT_COMMIT"},
        data_uri="sklearn.datasets.load_diabetes",
        parameters={"model": "Ridge", "alpha": 1.0},
        metrics={"rmse": error},
        reference={name: [row[name] for row in unseen] for name in FEATURES},
        reference_predictions=predictions,
        reference_labels=["high" if number >= HIGH else "low" for number in predictions],
        reference_actuals=progression,
    )
    draft.rename(path)
    print(f"{model.training_run_id}: rmse {error:.1f}, registered with {len(unseen)} rows, written to {path}")


if __name__ == "__main__":
    main()
