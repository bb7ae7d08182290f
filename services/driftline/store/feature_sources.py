"""Tables of the store that features are read from."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from driftline.errors import SettingError

if TYPE_CHECKING:
    from driftline.store.connection import Connection

_TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?\Z", re.ASCII)


def write_table(connection: Connection, table: str, file: IO[bytes]) -> None:
    """Write the rows of a table or a view into a file, as an Arrow stream: as they are at one moment.

    Raises:
        SettingError: it is no name of a table.
        StoreError: there is no such table, or it may not be read.
    """
    if not _TABLE.match(table):
        raise SettingError(f"{table!r} is no table; write it as table, or database.table")
    connection.write(
        f"SELECT * FROM {table}",
        file,
        fmt="ArrowStream",
        settings={
            "output_format_arrow_string_as_string": 1,
            "output_format_arrow_low_cardinality_as_dictionary": 0,
            "output_format_arrow_compression_method": "none",
        },
    )
