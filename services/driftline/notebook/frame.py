"""Rows as a DataFrame of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError

try:
    import pandas as pd
except ImportError as error:
    raise SettingError("DataFrames need pandas: pip install 'driftline[notebook]'") from error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def frame_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return rows as a DataFrame.

    Args:
        rows: each by the names of its columns.
        columns: their order; left out: as the rows have them.
    """
    return pd.DataFrame([dict(row) for row in rows], columns=list(columns) or None)
