"""Ask alibi-detect's TabularDrift, with its defaults, about windows; runs in alibi-detect's environment.

Run by bench/peers.py: python peer_alibi.py ROWS.npz ANSWERS.json

Rows with a missing value are left out, since it takes none, and so are columns that a window lacks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import alibi_detect
import numpy as np
from alibi_detect.cd import TabularDrift


def complete(rows: np.ndarray) -> np.ndarray:
    """Return the rows without missing values, (n, k) in, (m, k) out."""
    return rows[~np.isnan(rows).any(axis=1)]


def main() -> None:
    """Answer."""
    asked = np.load(sys.argv[1])
    columns, is_category = [], []
    for name in asked.files:
        if name.startswith("column:"):
            values = asked[name]
            is_category.append(values.dtype.kind not in "fiu")
            columns.append(np.unique(values, return_inverse=True)[1] if is_category[-1] else values)
    rows = np.column_stack(columns).astype(float)
    answers = []
    for begin, end, first, last in asked["jobs"].tolist():
        held = ~np.isnan(rows[first:last]).all(axis=0)
        reference, window = complete(rows[begin:end, held]), complete(rows[first:last, held])
        categories = dict.fromkeys(np.flatnonzero(np.array(is_category)[held]).tolist())
        detector = TabularDrift(reference, categories_per_feature=categories)
        data = detector.predict(window)["data"]
        flagged = int((np.asarray(data["p_val"]) < data["threshold"]).sum())
        answers.append({"flagged": flagged, "dataset": None})
    Path(sys.argv[2]).write_text(json.dumps({"version": alibi_detect.__version__, "answers": answers}))


if __name__ == "__main__":
    main()
