"""Ask evidently's DataDriftPreset, with its defaults, about windows; runs in evidently's environment.

Run by bench/peers.py: python peer_evidently.py ROWS.npz ANSWERS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import evidently
import numpy as np
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

DRIFTED_SHARE = 0.5
"""The preset's own default for the data set as a whole."""


def main() -> None:
    """Answer."""
    asked = np.load(sys.argv[1])
    frame = pd.DataFrame(
        {name.removeprefix("column:"): asked[name] for name in asked.files if name.startswith("column:")}
    )
    sample = int(asked["sample"])
    answers = []
    for begin, end, first, last in asked["jobs"].tolist():
        reference = frame.iloc[begin:end]
        if sample:
            reference = reference.sample(sample, random_state=0)
        window = frame.iloc[first:last].dropna(axis="columns", how="all")  # It refuses empty columns.
        snapshot = Report([DataDriftPreset()]).run(window, reference[window.columns])
        drifted = next(
            metric["value"]
            for metric in snapshot.dict()["metrics"]
            if metric["metric_name"].startswith("DriftedColumnsCount")
        )
        answers.append({"flagged": int(drifted["count"]), "dataset": bool(drifted["share"] >= DRIFTED_SHARE)})
    Path(sys.argv[2]).write_text(json.dumps({"version": evidently.__version__, "answers": answers}))


if __name__ == "__main__":
    main()
