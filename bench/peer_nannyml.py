"""Ask nannyml's univariate drift calculator, with its defaults, about windows; runs in nannyml's environment.

Run by bench/peers.py: python peer_nannyml.py ROWS.npz ANSWERS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nannyml
import numpy as np
import pandas as pd
from nannyml import UnivariateDriftCalculator

PERIODS = {1: "h", 24: "D"}


def main() -> None:
    """Answer; windows with the same reference are asked about at once."""
    asked = np.load(sys.argv[1])
    frame = pd.DataFrame(
        {name.removeprefix("column:"): asked[name] for name in asked.files if name.startswith("column:")}
    )
    hours = int(asked["chunk_hours"])
    names = list(frame.columns)
    categorical = [name for name in names if not pd.api.types.is_numeric_dtype(frame[name])]
    frame["time"] = pd.Timestamp("2026-01-05") + pd.to_timedelta(asked["chunk"] * hours, unit="h")
    by_reference: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for begin, end, first, last in asked["jobs"].tolist():
        by_reference.setdefault((begin, end), []).append((first, last))
    answers = []
    for (begin, end), windows in by_reference.items():
        calculator = UnivariateDriftCalculator(
            column_names=names,
            treat_as_categorical=categorical,
            timestamp_column_name="time",
            chunk_period=PERIODS[hours],
        )
        calculator.fit(frame.iloc[begin:end])
        result = calculator.calculate(frame.iloc[windows[0][0] : windows[-1][1]])
        table = result.filter(period="analysis").to_df()
        alerts = table.xs("alert", axis=1, level=-1).fillna(value=False).to_numpy(dtype=bool).sum(axis=1)
        answers += [{"flagged": int(count), "dataset": None} for count in alerts]
    Path(sys.argv[2]).write_text(json.dumps({"version": nannyml.__version__, "answers": answers}))


if __name__ == "__main__":
    main()
