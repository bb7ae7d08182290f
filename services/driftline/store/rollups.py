"""The tables behind the inbox: what each counts, and its view's query over stored rows.

A view's query is asked of the store itself, so that landing, repair and profiling anew never count by
different code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.errors import StoreError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table of counts that a materialized view fills from the inbox.

    Args:
        table: its name; the view is called ``<table>_view``.
        counted: SQL over the table's columns: how many things a row counts.
    """

    table: str
    counted: str


ROLLUPS = (
    Rollup("numeric_profiles", "count"),
    Rollup("feature_profiles", "finite + nulls + nans + infinities"),
    Rollup("categorical_profiles", "count"),
    Rollup("session_profiles", "rows"),
)


def contribution(client: Client, rollup: Rollup, *, rows: str) -> str:
    """Return a query of what stored predictions contribute to a rollup: its view's query over them.

    Args:
        client: reads the view's definition.
        rollup: whose.
        rows: SQL condition over ``predictions``.

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
    return str(found[0][0]).replace(inbox, f"FROM (SELECT * FROM {client.database}.predictions WHERE {rows})")
