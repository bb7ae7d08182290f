"""Ask alibi-detect's TabularDrift, with its defaults, about windows; runs in alibi-detect's environment.

Run by bench/peers.py: python peer_alibi.py ROWS.npz ANSWERS.json

Rows with a missing value are left out, since it takes none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import alibi_detect
import numpy as np
from alibi_detect.cd import TabularDrift


def main() -> None:
    """Answer."""
    asked = np.load(sys.argv[1])
    columns, categories = [], {}
    for name in asked.files:
        if name.startswith("column:"):
            values = asked[name]
            if values.dtype.kind not in "fiu":
                categories[len(columns)] = None
                values = np.unique(values, return_inverse=True)[1]
            columns.append(values.astype(float))
    rows = np.column_stack(columns)
    complete = ~np.isnan(rows).any(axis=1)
    answers = []
    for begin, end, first, last in asked["jobs"].tolist():
        reference, window = rows[begin:end][complete[begin:end]], rows[first:last][complete[first:last]]
        detector = TabularDrift(reference, categories_per_feature=dict(categories))
        data = detector.predict(window)["data"]
        flagged = int((np.asarray(data["p_val"]) < data["threshold"]).sum())
        answers.append({"flagged": flagged, "dataset": None})
    Path(sys.argv[2]).write_text(json.dumps({"version": alibi_detect.__version__, "answers": answers}))


if __name__ == "__main__":
    main()
