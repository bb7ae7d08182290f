"""The table in docs/sdk.md of what becomes of values, made by logging them.

As a program: ``python -m tests.sdk.value_table`` writes it anew.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as day_time
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from tests.sdk.logs import MemoryLog, quick_logger

PAGE = Path(__file__).parents[2] / "docs" / "sdk.md"
TABLE = re.compile(r"(?<=\n)\| value \|.*?\n(?=\n)", re.DOTALL)
NONE_HERE = "–"


class Carrier(Enum):
    """As users have them."""

    UNITED = "UA"


BERLIN = timezone(timedelta(hours=1))
VALUES: dict[str, Any] = {
    "`0.5`": 0.5,
    "`nan`": math.nan,
    "`inf`": math.inf,
    "`None`": None,
    "`True`": True,
    "`180`": 180,
    "`2**53 + 1`": 2**53 + 1,
    '`Decimal("0.5")`': Decimal("0.5"),
    '`Decimal("0.1")`': Decimal("0.1"),
    "`Fraction(1, 3)`": Fraction(1, 3),
    '`"UA"`': "UA",
    '`""`': "",
    "`UUID(int=1)`": UUID(int=1),
    '`Carrier.UNITED`, an `Enum` of `"UA"`': Carrier.UNITED,
    "`datetime(2024, 1, 1)`, naive": datetime(2024, 1, 1),  # noqa: DTZ001 - as users have them.
    "`datetime(2024, 1, 1, 1)` in Berlin": datetime(2024, 1, 1, 1, tzinfo=BERLIN),
    "`date(2024, 1, 1)`": date(2024, 1, 1),
    "`time(1, 30)`": day_time(1, 30),
    "`timedelta(minutes=1)`": timedelta(minutes=1),
    "`numpy.float32(0.1)`": np.float32(0.1),
    "`numpy.int64(2**62 + 1)`": np.int64(2**62 + 1),
    '`numpy.datetime64("2024-01-01")`': np.datetime64("2024-01-01"),
    '`numpy.timedelta64(5, "s")`': np.timedelta64(5, "s"),
    '`pandas.Timestamp("2024-01-01", tz="UTC")`': pd.Timestamp(datetime(2024, 1, 1, tzinfo=UTC)),
    "`pandas.NA`": pd.NA,
    "`pandas.NaT`": pd.NaT,
    "`pandas.Interval(0, 1)`, as `cut` gives": pd.Interval(0, 1),
    "a text with a lone surrogate": "\ud800",
    "a text of more than 65,536 bytes": "x" * 65_537,
    '`b"UA"`': b"UA",
    "`[0.5, 0.25]`, an embedding": [0.5, 0.25],
    "`1j`": 1j,
    "any other object": object(),
}
HEAD = ("value", "`log`", "a list", "pandas", "polars", "Arrow", "label, tag, id")


def described(value: Any) -> str:
    """Return a value of an event as the table has it."""
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value:.0f}`" if math.isfinite(value) and value >= 2**53 else f"`{value}`"


def feature(log: MemoryLog, logger: Any) -> str:
    """Return what became of the one feature that was logged."""
    assert logger.flush()
    event, stats = log.predictions[-1], logger.stats()
    if stats.unencodable:
        return "left out"
    if event["missing_features"]:
        return "missing"
    (value,) = (event["numeric_features"] | event["categorical_features"]).values()
    return f"{described(value)}, rounded" if stats.rounded else described(value)


def as_row(value: Any) -> str:
    """Return what ``log`` makes of a value."""
    log = MemoryLog()
    with quick_logger(log) as logger:
        logger.log({"x": value})
        return feature(log, logger)


def as_column(make: Any, value: Any) -> str:
    """Return what ``log_batch`` makes of it in a column of a library; a dash where that can't hold it."""
    try:
        column = make([value])
    except Exception:  # noqa: BLE001 - each library has its own.
        return NONE_HERE
    log = MemoryLog()
    with quick_logger(log) as logger:
        assert None not in logger.log_batch({"x": column})
        return feature(log, logger)


def as_label(value: Any) -> str:
    """Return what a label, a tag and an id become, which is the same."""
    log = MemoryLog()
    with quick_logger(log) as logger:
        logger.log(label=value, tags={"x": value}, entity_id=value)
        logger.flush()
        event, left_out = log.predictions[-1], logger.stats().unencodable
    texts = {event["prediction_label"], event["tags"].get("x"), event["entity_id"]}
    assert len(texts) == 1
    assert len(left_out) in {0, 3}
    (text,) = texts
    return "left out" if left_out else "missing" if text is None else described(text)


def table() -> str:
    """Return the table."""
    rows = [
        (
            name,
            as_row(value),
            *(as_column(make, value) for make in (list, pd.Series, pl.Series, pa.array)),
            as_label(value),
        )
        for name, value in VALUES.items()
    ]
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(TABLE.sub(table().replace("\\", r"\\"), PAGE.read_text()))
