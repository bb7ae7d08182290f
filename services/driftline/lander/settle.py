"""After a repeated batch: see that its rows stand in every table, and put in what is not there.

A repeated insert is a no-op where the engine remembers its token. But a plain MergeTree notes the token
*before* the part: killed in between, it remembers an insert that it does not hold, and repeating it under the
same token adds nothing. (Seen by killing the engine at each of its system calls.) So a batch that is
repeated, which happens after a crash or a failed insert only, is looked up by its event ids.

A part holds all of a block's rows of one month, or none of them: that is the unit compared here.
Source: ClickHouse's ``MergeTreeSink`` and ``MergeTreeDeduplicationLog``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from driftline.errors import StoreError
from driftline.lander.blocks import BlockWriter
from driftline.lander.insert import INSERT_SETTINGS, insert_block
from driftline.store.rollups import ROLLUPS, Rollup, contribution
from driftline.wire import PREDICTION, decode_record, event_schema, schema_of_fingerprint, split_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client

_logger = logging.getLogger(__name__)

_ANEW = {**INSERT_SETTINGS, "insert_deduplicate": 0}
_LARGE_QUERY = {
    "max_query_size": 256 * 1024 * 1024,
    "max_ast_elements": 10_000_000,
    "max_expanded_ast_elements": 10_000_000,
}


def settle_predictions(client: Client, records: Sequence[bytes]) -> int:
    """Make sure that landed predictions stand in the raw table and in every rollup once.

    Args:
        client: of the store.
        records: framed events that the store took, perhaps twice.

    Returns:
        How many missing pieces (raw rows and rollup parts) were put in. A rollup that differs from the rows
        by something else than these records is left as it is, and logged as an error.

    Raises:
        StoreError: the store is away.
    """
    by_id = {str(decode_record(record)[1]["event_id"]): record for record in records}
    if not by_id:
        return 0
    ids = ", ".join(f"'{event_id}'" for event_id in by_id)
    chosen = f"event_id IN ({ids})"
    stored = client.query(f"SELECT toString(event_id) FROM predictions WHERE {chosen}", settings=_LARGE_QUERY)
    missing = [by_id[event_id] for event_id in by_id.keys() - {row[0] for row in stored.result_rows}]
    if missing:
        _insert_raw(client, missing)
    mended = sum(_settle_rollup(client, rollup, chosen) for rollup in ROLLUPS)
    if missing or mended:
        _logger.warning("settled a repeated batch: %d rows and %d rollup parts put in", len(missing), mended)
    return len(missing) + mended


def _insert_raw(client: Client, records: Sequence[bytes]) -> None:
    columns = [column["name"] for column in event_schema(PREDICTION).parsed["fields"]]
    by_schema: dict[bytes, list[bytes]] = {}
    for record in records:
        ref, datum = split_frame(record)
        by_schema.setdefault(ref.fingerprint or b"", []).append(datum)
    for fingerprint, datums in by_schema.items():
        schema = schema_of_fingerprint(fingerprint)
        if schema is None:
            raise StoreError(f"no schema is known for {fingerprint.hex()}")
        container = BlockWriter(schema.text).container(datums)
        insert_block(client, f"{client.database}.predictions", columns, container, settings=_ANEW)


def _settle_rollup(client: Client, rollup: Rollup, chosen: str) -> int:
    """Put in the months of the chosen rows that the rollup lacks; return how many."""
    minutes = (
        f"toStartOfMinute(event_time) IN (SELECT toStartOfMinute(event_time) FROM predictions WHERE {chosen})"
    )
    own = _by_month(client, rollup, f"({contribution(client, rollup, rows=chosen)})")
    expected = _by_month(client, rollup, f"({contribution(client, rollup, rows=minutes)})")
    same_minutes = f"minute IN (SELECT toStartOfMinute(event_time) FROM predictions WHERE {chosen})"
    actual = _by_month(client, rollup, f"(SELECT * FROM {rollup.table} WHERE {same_minutes})")
    mended = 0
    for month, counted in own.items():
        lacking = expected[month] - actual.get(month, 0)
        if lacking == 0:
            continue
        if lacking != counted:
            _logger.error(
                "%s of %d counts %d, the rows give %d, the repeated batch explains only %d: left as it is",
                rollup.table,
                month,
                actual.get(month, 0),
                expected[month],
                counted,
            )
            continue
        in_month = f"{chosen} AND toYYYYMM(event_time) = {month}"
        columns = ", ".join(_columns(client, rollup))
        query = contribution(client, rollup, rows=in_month)
        client.command(
            f"INSERT INTO {rollup.table} ({columns}) SELECT {columns} FROM ({query})",
            settings={**_ANEW, **_LARGE_QUERY},
        )
        mended += 1
    return mended


def _columns(client: Client, rollup: Rollup) -> Sequence[str]:
    rows = client.query(
        "SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} "
        "ORDER BY position",
        parameters={"database": client.database, "table": rollup.table},
    ).result_rows
    return [str(row[0]) for row in rows]


def _by_month(client: Client, rollup: Rollup, source: str) -> Mapping[int, int]:
    rows = client.query(
        f"SELECT toYYYYMM(minute) AS month, sum({rollup.counted}) FROM {source} GROUP BY month",
        settings=_LARGE_QUERY,
    ).result_rows
    return {int(month): int(counted) for month, counted in rows}
