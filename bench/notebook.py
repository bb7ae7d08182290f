"""Two frames compared in a notebook, beside Evidently: how long it takes, and what is called drift.

Run: python -m bench.notebook [--rows 1000000] [--columns 20] [--evidently PYTHON]

The same frames, written once as Parquet. Halves: two halves of the same rows, of which nothing moved. Nudged:
one hundredth of a standard deviation added to each number that is not whole, which nobody would call a
change. Broken: a column in pence instead of pounds, one without half of its values, a category written
otherwise. `--evidently` names the interpreter of an environment that has it; without it only driftline is
asked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from bench.tables import print_table

_CODE = """
import json, sys, time
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

began = time.process_time()
one, other = (pd.read_parquet(path) for path in sys.argv[1:3])
read = time.process_time()
found = Report([DataDriftPreset()]).run(other, one)
html = found.get_html_str(as_iframe=False)
spent = time.process_time() - read
share = next(m for m in found.dict()["metrics"] if m["metric_name"].startswith("DriftedColumnsCount"))
print(json.dumps({"seconds": spent, "drifted": int(share["value"]["count"]), "size": len(html)}))
"""


def make_frame(rows: int, columns: int, seed: int) -> pd.DataFrame:
    """Return numbers of several shapes, and a few categories."""
    rng = np.random.default_rng(seed)
    shapes = (
        lambda: rng.normal(size=rows),
        lambda: rng.lognormal(3, 0.8, rows).round(2),
        lambda: rng.poisson(4, rows).astype(np.float64),
        lambda: np.where(rng.random(rows) < 0.05, np.nan, rng.exponential(size=rows)),
        lambda: rng.choice(["Ankara", "Bergen", "Cork", "Dakar"], rows, p=[0.5, 0.3, 0.15, 0.05]),
    )
    return pd.DataFrame({f"c{place:02}": shapes[place % len(shapes)]() for place in range(columns)})


def pairs_of(frame: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Return what is compared, by name."""
    numbers = frame.select_dtypes("number")
    numbers = numbers.loc[:, [not (values.dropna() % 1 == 0).all() for _, values in numbers.items()]]
    nudged = frame.assign(**{name: values + 0.01 * values.std() for name, values in numbers.items()})
    broken = frame.assign(
        c01=frame["c01"] * 100,
        c03=frame["c03"].where(np.arange(len(frame)) % 2 == 0),
        c04=frame["c04"].replace("Bergen", "BERGEN"),
    )
    return {
        "halves": (frame.iloc[::2], frame.iloc[1::2]),
        "nudged": (frame, nudged),
        "broken": (frame, broken),
    }


def ask_driftline(one: pd.DataFrame, other: pd.DataFrame, folder: Path) -> dict[str, float]:
    """Compare, draw and write; return seconds, columns called drift, and bytes."""
    from driftline.notebook import compare  # noqa: PLC0415  its import is not what is measured.

    began = time.process_time()
    found = compare(one, other)
    size = found.save(folder / "report.html").stat().st_size
    return {"seconds": time.process_time() - began, "drifted": len(found.drifted), "size": size}


def ask_evidently(python: str, one: Path, other: Path) -> dict[str, float]:
    """Do the same with Evidently and its defaults, in its own environment."""
    line = [python, "-W", "ignore", "-c", _CODE, str(one), str(other)]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--evidently", default="", help="an interpreter that has it")
    options = parser.parse_args()
    frame = make_frame(options.rows, options.columns, options.seed)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, (one, other) in pairs_of(frame).items():
            answers = {"driftline": ask_driftline(one, other, folder)}
            if options.evidently:
                paths = [folder / "one.parquet", folder / "other.parquet"]
                for path, table in zip(paths, (one, other), strict=True):
                    table.reset_index(drop=True).to_parquet(path)
                answers["evidently"] = ask_evidently(options.evidently, *paths)
            for who, found in answers.items():
                rows.append(
                    [
                        what,
                        who,
                        f"{found['seconds']:.1f} s",
                        f"{found['drifted']:.0f} of {options.columns}",
                        f"{found['size'] / 1024:,.0f} KB",
                    ]
                )
                print(rows[-1], file=sys.stderr, flush=True)
    print_table(["compared", "by", "processor time, report included", "called drift", "report"], rows)


if __name__ == "__main__":
    main()
