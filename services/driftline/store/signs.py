"""Numbers that change when something comes that a verdict may depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.domain.streams import Stream
from driftline.store.hours import KEYS, read_signs
from driftline.store.recipes import RECIPE_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickhouse_connect.driver.client import Client

_SIGN_TABLES = (
    "derived_hours",
    "sessions",
    "dead_letters",
    "training_runs",
    "acknowledgements",
    *RECIPE_TABLES,
)


def read_landing_signs(client: Client) -> Mapping[str, int]:
    """Return by table a number that changes when something comes to judge by. Reads no rows."""
    return read_signs(client, _SIGN_TABLES)


def read_beat_signs(client: Client) -> Mapping[Stream, int]:
    """Return a number by stream that changes when one of its sessions says how far it is."""
    rows = client.query(
        f"SELECT {KEYS}, groupBitXor(cityHash64(session_id, beat_time, last_sequence)) "
        f"FROM sessions GROUP BY {KEYS}"
    ).result_rows
    return {Stream(*names): sign for *names, sign in rows}
