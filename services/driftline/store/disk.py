"""How much room the store has left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that the store writes to, in bytes."""

    free: int
    size: int


def read_fullest_disk(client: Client) -> Disk | None:
    """Return the disk of which the smallest share is free, as the store sees it; None: it has none."""
    rows = client.query(
        "SELECT free_space, total_space FROM system.disks WHERE total_space > 0 "
        "ORDER BY free_space / total_space LIMIT 1"
    ).result_rows
    return Disk(*rows[0]) if rows else None
