"""After a repeated batch: see that its rows stand in every table, and put right what does not.

A repeated insert is a no-op where the engine remembers its token. But a plain MergeTree notes the token
*before* the part: killed in between, it remembers an insert that it does not hold, and repeating it under the
same token adds nothing. (Seen by killing the engine at each of its system calls.) So a batch that is
repeated, which happens after a crash or a failed insert only, is looked up by its event ids.

Raw rows that are missing are put in; then the rollups of the batch's minutes are compared with the rows, and
minutes that differ are counted anew from them. Which part of which block is missing need not be known.
Source: ClickHouse's ``MergeTreeSink`` and ``MergeTreeDeduplicationLog``.
"""

from __future__ import annotations

import logging
import uuid
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

_LARGE_QUERY = {
    "max_query_size": 256 * 1024 * 1024,
    "max_ast_elements": 10_000_000,
    "max_expanded_ast_elements": 10_000_000,
}


def settle_predictions(client: Client, records: Sequence[bytes]) -> int:
    """Make sure that landed predictions stand in the raw table, and in every rollup once.

    Interrupted, it is simply done again: it looks at what is there. Nothing else may land meanwhile.

    Args:
        client: of the store.
        records: framed events that the store took, perhaps twice.

    Returns:
        How many raw rows were put in, and how many minutes of a rollup were counted anew.

    Raises:
        StoreError: the store is away.
    """
    event_ids = [str(decode_record(record)[1]["event_id"]) for record in records]
    if not event_ids:
        return 0
    chosen = f"event_id IN ({', '.join(repr(event_id) for event_id in event_ids)})"
    rows = client.query(f"SELECT toString(event_id) FROM predictions WHERE {chosen}", settings=_LARGE_QUERY)
    stored = {row[0] for row in rows.result_rows}
    pairs = zip(event_ids, records, strict=True)
    missing = [record for event_id, record in pairs if event_id not in stored]
    if missing:
        _insert_raw(client, missing)
    mended = sum(_settle_rollup(client, rollup, chosen) for rollup in ROLLUPS)
    if missing or mended:
        _logger.warning(
            "settled a repeated batch: %d rows put in, %d minutes counted anew", len(missing), mended
        )
    return len(missing) + mended


def _anew() -> Mapping[str, object]:
    """Return the settings of an insert that no engine takes for an earlier one.

    A token of its own says so to every version; ``insert_deduplicate = 0`` means nothing to newer ones, which
    then know an equal block by its contents.
    """
    return {**INSERT_SETTINGS, "insert_deduplication_token": f"settle:{uuid.uuid4()}"}


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
        insert_block(client, f"{client.database}.predictions", columns, container, settings=_anew())


def _settle_rollup(client: Client, rollup: Rollup, chosen: str) -> int:
    """Count those of the chosen rows' minutes anew that differ from the rows; return how many."""
    same_minutes = f"IN (SELECT toStartOfMinute(event_time) FROM predictions WHERE {chosen})"
    given = contribution(client, rollup, rows=f"toStartOfMinute(event_time) {same_minutes}")
    expected = _by_minute(client, rollup, f"({given})")
    actual = _by_minute(client, rollup, f"(SELECT * FROM {rollup.table} WHERE minute {same_minutes})")
    wrong = [minute for minute, counted in expected.items() if counted != actual.get(minute, 0)]
    if not wrong:
        return 0
    listed = f"IN ({', '.join(map(str, wrong))})"
    client.command(
        f"DELETE FROM {rollup.table} WHERE toUnixTimestamp(minute) {listed}", settings=_LARGE_QUERY
    )
    columns = ", ".join(_columns(client, rollup))
    query = contribution(client, rollup, rows=f"toUnixTimestamp(toStartOfMinute(event_time)) {listed}")
    client.command(
        f"INSERT INTO {rollup.table} ({columns}) SELECT {columns} FROM ({query})",
        settings={**_anew(), **_LARGE_QUERY},
    )
    return len(wrong)


def _columns(client: Client, rollup: Rollup) -> Sequence[str]:
    rows = client.query(
        "SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} "
        "ORDER BY position",
        parameters={"database": client.database, "table": rollup.table},
    ).result_rows
    return [str(row[0]) for row in rows]


def _by_minute(client: Client, rollup: Rollup, source: str) -> Mapping[int, int]:
    """Return how many things a rollup, or a query of its columns, counts, by minute (a Unix time)."""
    rows = client.query(
        f"SELECT toUnixTimestamp(minute), sum({rollup.counted}) FROM {source} GROUP BY minute",
        settings=_LARGE_QUERY,
    ).result_rows
    return {int(minute): int(counted) for minute, counted in rows}
