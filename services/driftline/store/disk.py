"""How much room the store has left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftline.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that the store writes to, in bytes."""

    free: int
    size: int


def read_fullest_disk(connection: Connection) -> Disk | None:
    """Return the disk of which the smallest share is free, as the store sees it; None: it has none."""
    rows = connection.rows(
        "SELECT free_space, total_space FROM system.disks WHERE total_space > 0 "
        "ORDER BY free_space / total_space LIMIT 1"
    )
    return Disk(*rows[0]) if rows else None
