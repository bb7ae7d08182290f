"""Rows of a training set: one column a feature, and a hash that does not ask for their order."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from driftline.errors import SettingError
from driftline.store.snapshots import MAP_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Table: TypeAlias = Any
"""A table of Arrow's, which has no types to check."""

_MODULUS: Final = 1 << 256
_BATCH_ROWS = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_table(content: bytes) -> Table:
    """Return the table of a file of Parquet.

    Raises:
        SettingError: pyarrow is not installed.
        ValueError: it is none.
    """
    return _parquet().read_table(io.BytesIO(content))


def table_bytes(table: Table) -> bytes:
    """Return a table as a file of Parquet."""
    held = io.BytesIO()
    _parquet().write_table(table, held, compression="zstd")
    return held.getvalue()


def widened(table: Table, keys: Mapping[str, Sequence[str]]) -> Table:
    """Return a table whose maps have become columns: ``numeric.NAME``, ``categorical.NAME`` and so on.

    A feature that an event did not have, and one that it had without a value, are null; ``missing_features``
    names the latter.

    Args:
        table: as the store writes it.
        keys: the names in each map, which say which columns there are.
    """
    import pyarrow as pa  # noqa: PLC0415  the extra need not be installed
    import pyarrow.compute as pc  # noqa: PLC0415  likewise

    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name]
        if name not in MAP_COLUMNS:
            columns[name] = column
            continue
        for key in keys[name]:
            columns[f"{MAP_COLUMNS[name]}.{key}"] = pc.map_lookup(column, pa.scalar(key), "first")
    return pa.table(columns)


def schema_of(table: Table) -> dict[str, str]:
    """Return type by column."""
    return {field.name: str(field.type) for field in table.schema}


class RowHash:
    """A hash of rows, the same in whatever order and files they come: the sum of SHA-256 of each.

    What is null is left out, so that a row's hash does not depend on which columns other rows have. It
    proves that nothing was lost, doubled or changed by accident; against an adversary there are the digests
    of the files.
    """

    def __init__(self) -> None:
        self._sum = 0
        self.rows = 0

    def add(self, table: Table, part: str) -> None:
        """Add the rows of a table.

        Args:
            table: whose maps have become columns.
            part: of the split, to which all of them belong.
        """
        for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
            for row in batch.to_pylist():
                held = {name: _canonical(value) for name, value in row.items() if value is not None}
                text = json.dumps([part, held], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
                self._sum += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
            self.rows += batch.num_rows
        self._sum %= _MODULUS

    def hexdigest(self) -> str:
        """Return the hash, 64 hexadecimal digits."""
        return f"{self._sum:064x}"


def _canonical(value: Any) -> Any:
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        since = moment - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if isinstance(value, list):
        return sorted(value, key=str)
    return value


def _parquet() -> Any:
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415  the extra need not be installed
    except ImportError as error:
        raise SettingError("snapshots need: pip install 'driftline[lifecycle]'") from error
    return pq
