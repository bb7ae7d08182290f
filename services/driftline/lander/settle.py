"""After a repeated piece: see that its rows stand in every table once, whoever else lands meanwhile.

A repeated insert is a no-op where the engine remembers its token. But a plain MergeTree notes the token
*before* the part: killed in between, it remembers an insert that it does not hold, and repeating it under the
same token adds nothing. (Seen by killing the engine at each of its system calls.) And past the
deduplication window it remembers nothing.

So each table says itself what it holds: the raw rows carry their block's number, and each rollup has a *mark*
for every block and month, in the same part as the counts. What lacks its mark is put in, month by month: raw
rows from the records, counts from the raw rows, by the view's own query. These inserts have tokens of their
own, numbered by attempt, so that two landers that settle one piece at once insert it once: an attempt
is given up, and the next one begun, only by who has seen that its part is not there after its insert was
answered. Then it will never be there, since a running engine notes a token and its part in one step.
Source: ClickHouse's ``MergeTreeSink`` and ``MergeTreeDeduplicationLog``.
"""

from __future__ import annotations

import logging
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro
from clickhouse_connect.driver.exceptions import ClickHouseError

from driftline.errors import StoreError
from driftline.lander.blocks import BlockWriter
from driftline.lander.insert import INSERT_SETTINGS, RefusedError, insert_block
from driftline.store.rollups import IS_MARK, ROLLUPS, columns, contribution
from driftline.wire import PREDICTION, event_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client

    from driftline.lander.insert import Piece

_logger = logging.getLogger(__name__)

ATTEMPTS = 20
"""An attempt fails when the engine is killed in the middle of it, at one of a few system calls."""

_RAW = "predictions"


class PredictionSettler:
    """Settles pieces of the topic of predictions: in the raw table and in the rollups.

    Args:
        client: a client of this thread's own.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        time = [field for field in event_schema(PREDICTION).parsed["fields"] if field["name"] == "event_time"]
        # Only this field is decoded; whatever stands in the others is stepped over.
        self._time_alone = fastavro.parse_schema({**event_schema(PREDICTION).parsed, "fields": time})

    def holds(self, piece: Piece) -> tuple[bool, bool]:
        """Return whether the tables hold any of a piece, and whether they hold all of it.

        Raises:
            StoreError: the store is away.
        """
        lacking = self._lacking(piece.token, self._by_month(piece))
        total = sum(map(len, lacking.values()))
        places = len(lacking) * (1 + len(ROLLUPS))
        return total < places, total == 0

    def settle(self, piece: Piece) -> int:
        """Put in what the tables lack of a piece; return in how many parts that was.

        Raises:
            StoreError: the store is away, or it does not keep what it takes.
        """
        months = self._by_month(piece)
        put_in = 0
        for attempt in range(ATTEMPTS):
            lacking = self._lacking(piece.token, months)
            if not any(lacking.values()):
                if put_in:
                    context = {"token": piece.token, "offset": piece.first_offset, "parts": put_in}
                    _logger.warning("settled %s: %d parts put in", piece.token, put_in, extra=context)
                return put_in
            for month, tables in lacking.items():
                for table in tables:  # The raw table comes first: the others are counted from it.
                    token = f"settle:{table}:{month}:{attempt}|{piece.token}"
                    self._put_in(piece, table, month, months[month], token)
                    put_in += 1
        raise StoreError(f"the store takes {piece.token} and does not hold it; look at the server's log")

    def _by_month(self, piece: Piece) -> Mapping[int, Sequence[bytes]]:
        """Return a piece's datums by the month of their events, such as 202601.

        What has no time is left out: the engine takes no such record.
        """
        months: dict[int, list[bytes]] = {}
        for _, datum in piece.records:
            try:
                event: Any = fastavro.schemaless_reader(BytesIO(datum), piece.schema.parsed, self._time_alone)
                time: datetime = event["event_time"]
            except Exception:  # noqa: BLE001, S112  fastavro raises whatever its parts raise on garbage.
                continue
            months.setdefault(time.year * 100 + time.month, []).append(datum)
        return months

    def _lacking(self, token: str, months: Collection[int]) -> Mapping[int, Sequence[str]]:
        """Return by month which tables lack a block, the raw table first."""
        if not months:
            return {}
        listed = f"IN ({', '.join(map(str, months))})"
        number = "block = cityHash64({token:String})"
        queries = [f"SELECT '{_RAW}', toYYYYMM(event_time) AS month FROM {_RAW} WHERE {number}"]
        queries += [
            f"SELECT '{rollup.table}', toYYYYMM(minute) AS month FROM {rollup.table} "
            f"WHERE {IS_MARK} AND {number}"
            for rollup in ROLLUPS
        ]
        query = " UNION ALL ".join(f"{query} AND month {listed} GROUP BY month" for query in queries)
        try:
            rows = self._client.query(query, parameters={"token": token}).result_rows
        except (ClickHouseError, OSError) as error:
            raise StoreError(f"the store does not say what it holds of {token}: {error}") from error
        held = {(table, month) for table, month in rows}
        tables = [_RAW, *(rollup.table for rollup in ROLLUPS)]
        return {month: [table for table in tables if (table, month) not in held] for month in months}

    def _put_in(self, piece: Piece, table: str, month: int, datums: Sequence[bytes], token: str) -> None:
        settings = {**INSERT_SETTINGS, "insert_deduplication_token": token}
        if table == _RAW:
            self._put_in_rows(piece, datums, settings)
            return
        rollup = next(rollup for rollup in ROLLUPS if rollup.table == table)
        rows = f"block = cityHash64({{token:String}}) AND toYYYYMM(event_time) = {month}"
        try:
            names = ", ".join(columns(self._client, table))
            counted = contribution(self._client, rollup, rows=rows)
            self._client.command(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM ({counted})",
                parameters={"token": piece.token},
                settings=settings,
            )
        except (ClickHouseError, OSError) as error:
            raise StoreError(f"the store does not count {piece.token} for {table}: {error}") from error

    def _put_in_rows(self, piece: Piece, datums: Sequence[bytes], settings: dict[str, Any]) -> None:
        names = [field["name"] for field in event_schema(PREDICTION).parsed["fields"]]
        container = BlockWriter(piece.schema.text).container(datums)
        table = f"{self._client.database}.{_RAW}"
        try:
            insert_block(self._client, table, names, container, settings=settings)
        except RefusedError as error:
            raise StoreError(f"the store takes {piece.token} into the inbox alone: {error}") from error
