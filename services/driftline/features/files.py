"""Tables in files: Parquet, or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.features.tables import import_arrow

if TYPE_CHECKING:
    from pathlib import Path


def read_table_file(path: Path) -> Any:
    """Return the Arrow table that a file holds.

    Raises:
        SettingError: the file holds something else, or pyarrow is not installed.
        OSError: the file can't be read.
    """
    arrow = import_arrow("a table in a file")
    try:
        return arrow.parquet.read_table(path) if _is_parquet(path) else arrow.csv.read_csv(path)
    except arrow.ArrowException as error:
        what = "Parquet" if _is_parquet(path) else "CSV"
        raise SettingError(f"{path}: it holds no {what}: {error}") from error


def write_table_file(table: Any, path: Path) -> int:
    """Write an Arrow table into a file; return how many rows it has.

    Raises:
        OSError: the file can't be written.
    """
    arrow = import_arrow("a table in a file")
    if _is_parquet(path):
        arrow.parquet.write_table(table, path)
    else:
        arrow.csv.write_csv(table, path)
    return int(table.num_rows)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in {".parquet", ".pq"}
