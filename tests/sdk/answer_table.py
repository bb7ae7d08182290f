"""The table in docs/sdk.md of what becomes of answers of every shape, made by logging them.

As a program: ``python -m tests.sdk.answer_table`` writes it anew.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd

from driftline import Ranking
from tests.sdk.logs import MemoryLog, quick_logger
from tests.sdk.value_table import PAGE, described

TABLE = re.compile(r"(?<=\n)\| answer \|.*?\n(?=\n)", re.DOTALL)
ANSWERS: dict[str, Any] = {
    "`0.5`": 0.5,
    '`"late"`': "late",
    "`numpy.array([0.5])`, `[0.5]`, `[[0.5]]`": np.array([[0.5]]),
    '`numpy.array(["late"])`': np.array(["late"]),
    '`{"price": 12.5, "days": 3}`, a named tuple, a row of a frame': {"price": 12.5, "days": 3},
    '`{"price": 12.5, "gate": "C4", "days": None}`': {"price": 12.5, "gate": "C4", "days": None},
    '`{"spam": True, "urgent": 0.25}`': {"spam": True, "urgent": 0.25},
    "`{0.1: 5.0, 0.9: 9.0}`": {0.1: 5.0, 0.9: 9.0},
    "`[12.5, 3]`, `numpy.array([[12.5, 3]])`": [12.5, 3],
    '`[("tent", 0.9), ("rope", 0.5)]`': [("tent", 0.9), ("rope", 0.5)],
    '`["tent", "rope"]`': ["tent", "rope"],
    "`Ranking([412, 88])`": Ranking([412, 88]),
    '`["tent"]`': ["tent"],
    "`[]`": [],
    '`{"price": 12.5, "days": object()}`': {"price": 12.5, "days": object()},
    "`pandas.Series([0.5])`": pd.Series([0.5]),
    "`[[1, 2], [3]]`, many rows": [[1, 2], [3]],
    '`{"spam", "urgent"}`, a set': {"spam", "urgent"},
}
HEAD = ("answer", "prediction", "outputs", "left out")


def row(answer: Any) -> tuple[str, str, str]:
    """Return what ``log`` makes of an answer, which is what ``log_batch`` makes of it in a list."""
    log = MemoryLog()
    with quick_logger(log) as logger:
        logger.log(prediction=answer)
        logger.log_batch(predictions=[answer])
        logger.flush()
        left_out = logger.stats().unencodable
    alone, listed = ({**event, "event_id": "", "event_time": "", "sequence": 0} for event in log.predictions)
    assert alone == listed
    single = alone["prediction_label"] if alone["prediction_number"] is None else alone["prediction_number"]
    outputs = alone["numeric_outputs"] | alone["categorical_outputs"]
    outputs |= dict.fromkeys(alone["missing_outputs"])
    named = ", ".join(
        f"`{name}` {'missing' if value is None else json.dumps(value)}" for name, value in outputs.items()
    )
    return "" if single is None else described(single), named, ", ".join(f"`{name}`" for name in left_out)


def table() -> str:
    """Return the table."""
    lines = [HEAD, ("---",) * len(HEAD), *((name, *row(answer)) for name, answer in ANSWERS.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(TABLE.sub(table().replace("\\", r"\\"), PAGE.read_text()))
