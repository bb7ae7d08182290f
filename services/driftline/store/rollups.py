"""The tables behind the inbox: what each counts, how it says what it holds, and its view's query over rows.

A view's query is asked of the store itself, so that landing, repair and counting anew never count by
different code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

IS_MARK = "model_name = ''"
"""SQL: whether a rollup's row marks a landed block. Whoever reads over all models leaves these out."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table of counts that a materialized view fills from the inbox.

    Args:
        table: its name; the view is called ``<table>_view``.
        counted: SQL over the table's columns: how many things a row counts.
        by_generation: SQL over them: whether a row depends on its model's grids or segments, and so counts
            only on the generation of these that is in force.
    """

    table: str
    counted: str
    by_generation: str


ALWAYS, IN_SEGMENTS, NEVER = "1", "segment != ''", "0"
"""Which rows of a rollup are counted by generation."""

ROLLUPS = (
    Rollup("numeric_profiles", "count", ALWAYS),
    Rollup("feature_profiles", "finite + nulls + nans + infinities", IN_SEGMENTS),
    Rollup("categorical_profiles", "count", IN_SEGMENTS),
    Rollup("segment_profiles", "rows", ALWAYS),
    Rollup("session_profiles", "rows", NEVER),
    Rollup("invalid_values", "count", NEVER),
)


def contribution(client: Client, rollup: Rollup, *, rows: str, generation: int | None = None) -> str:
    """Return a query of what stored predictions contribute to a rollup, marks included.

    That is its view's query over them. Its columns are the rollup's.

    Args:
        client: reads the view's definition.
        rollup: whose.
        rows: SQL condition over ``predictions``.
        generation: of grids and segments to count on; None: each model's own, as it is in force when the
            query starts.

    Raises:
        StoreError: the view is not there.
    """
    view = f"{rollup.table}_view"
    found = client.query(
        "SELECT as_select FROM system.tables WHERE database = {database:String} AND name = {view:String}",
        parameters={"database": client.database, "view": view},
    ).result_rows
    inbox = f"FROM {client.database}.prediction_inbox"
    if not found or inbox not in found[0][0]:
        raise StoreError(f"the view {view} is not there, or does not read the inbox; run the migrations")
    counted_on = _in_force(client) if generation is None else f"toUInt64({int(generation)})"
    given = (
        f"SELECT *, {counted_on} AS generation, {_segments(client)} AS segments "
        f"FROM {client.database}.predictions WHERE {rows}"
    )
    return str(found[0][0]).replace(inbox, f"FROM ({given})")


def columns(client: Client, table: str) -> Sequence[str]:
    """Return the names of a table's columns, in order."""
    rows = client.query(
        "SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} "
        "ORDER BY position",
        parameters={"database": client.database, "table": table},
    ).result_rows
    return [str(row[0]) for row in rows]


def _in_force(client: Client) -> str:
    """Return SQL for the generation of a row's model. All rows of a query get it from one look."""
    looked_up = f"SELECT (groupArray(model_name), groupArray(current)) FROM {client.database}.feature_grid"
    models = f"({looked_up} WHERE feature = '' AND generation = 0)"
    return f"transform(toString(model_name), {models}.1, {models}.2, toUInt64(0))"


def _segments(client: Client) -> str:
    """Return SQL for the segments of a row on its generation, as the inbox has it."""
    rows = client.query(
        "SELECT default_expression FROM system.columns "
        "WHERE database = {database:String} AND table = 'prediction_inbox' AND name = 'segments'",
        parameters={"database": client.database},
    ).result_rows
    if not rows:
        raise StoreError("the inbox has no segments; run the migrations")
    return str(rows[0][0])
