"""Definitions of features as they were registered; only ever added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from driftline.store.connection import Connection

_NAMES = ("kind", "name", "version", "computation", "document", "registered_by")
_REGISTERED = f"""
SELECT {", ".join(_NAMES)}, registered_at FROM feature_definitions
WHERE ({{kind:String}} = '' OR kind = {{kind:String}}) AND ({{name:String}} = '' OR name = {{name:String}})
ORDER BY kind, name, registered_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A definition as it was registered.

    Args:
        kind: view, on_demand or service.
        name: the definition's.
        version: the definition's.
        computation: of a view: what its rows are made by; else empty.
        document: the definition, JSON.
        registered_by: who registered it.
        registered_at: when, by the store's clock; None: it is not stored yet.
    """

    kind: str
    name: str
    version: str
    computation: str
    document: str
    registered_by: str
    registered_at: datetime | None = None


def write_registrations(connection: Connection, registrations: Sequence[Registration]) -> None:
    """Add registrations.

    Raises:
        StoreError: the store did not take them.
    """
    rows = [[getattr(each, name) for name in _NAMES] for each in registrations]
    if rows:
        connection.insert("feature_definitions", rows, column_names=_NAMES)


def read_registrations(connection: Connection, *, kind: str = "", name: str = "") -> Sequence[Registration]:
    """Return all registrations, or those of one kind or name, the oldest of each name first."""
    rows = connection.rows(_REGISTERED, {"kind": kind, "name": name})
    return [
        Registration(**dict(zip(_NAMES, row, strict=False)), registered_at=row[-1].replace(tzinfo=UTC))
        for row in rows
    ]


def has_definitions(connection: Connection) -> bool:
    """Return whether any feature was ever registered."""
    return bool(connection.rows("SELECT 1 FROM feature_definitions LIMIT 1"))
