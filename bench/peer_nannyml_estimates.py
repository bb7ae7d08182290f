"""Ask nannyml how right models are likely to be, with its defaults; runs in nannyml's environment.

Run by bench/estimates.py: python peer_nannyml_estimates.py ASKED.json ANSWERS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nannyml
import pandas as pd


def estimator(asked: dict) -> nannyml.CBPE | nannyml.DLE:
    """Return what estimates such a stream."""
    common = {
        "y_true": "truth",
        "y_pred": "answer",
        "metrics": asked["metrics"],
        "chunk_size": asked["chunk_size"],
    }
    if asked["kind"] == "regression":
        return nannyml.DLE(feature_column_names=asked["features"], tune_hyperparameters=False, **common)
    shares = "score" if asked["kind"] == "binary" else {label: f"share:{label}" for label in asked["labels"]}
    return nannyml.CBPE(y_pred_proba=shares, problem_type=f"classification_{asked['kind']}", **common)


def main() -> None:
    """Answer by stream: for each metric the estimates by chunk, and where their intervals begin and end."""
    answers = {}
    for asked in json.loads(Path(sys.argv[1]).read_text()):
        reference, analysis = (pd.read_csv(asked[part]) for part in ("reference", "analysis"))
        estimates = estimator(asked).fit(reference).estimate(analysis).filter(period="analysis").to_df()
        answers[asked["name"]] = {
            metric: {
                "values": estimates[metric, "value"].tolist(),
                "low": estimates[metric, "lower_confidence_boundary"].tolist(),
                "high": estimates[metric, "upper_confidence_boundary"].tolist(),
            }
            for metric in asked["metrics"]
        }
    Path(sys.argv[2]).write_text(json.dumps({"version": nannyml.__version__, "answers": answers}))


if __name__ == "__main__":
    main()
