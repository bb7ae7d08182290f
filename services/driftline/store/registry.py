"""The model registry as it landed, and every revision of training runs; only ever added to."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from driftline.registry.events import RegistryEvent
from driftline.registry.fold import fold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.registry.state import ModelState
    from driftline.store.connection import Connection

_FIELDS = tuple(name for name in RegistryEvent.__slots__)

# A log that was begun anew follows the one before it; in one, offsets decide.
_EVENTS = f"""
SELECT {", ".join(f"toString({name}) AS {name}" if name == "event_id" else name for name in _FIELDS)}
FROM registry_events AS events FINAL
INNER JOIN
(
    SELECT model_name, log_id, log_partition, min(landed_at) AS begun
    FROM registry_events WHERE {{model:String}} = '' OR model_name = {{model:String}}
    GROUP BY model_name, log_id, log_partition
) AS logs USING (model_name, log_id, log_partition)
WHERE {{model:String}} = '' OR model_name = {{model:String}}
ORDER BY model_name, begun, log_id, log_partition, log_offset
"""


def read_registry(connection: Connection, model_name: str = "") -> Mapping[str, ModelState]:
    """Return the state of each registered model, or of one; reads every event of it.

    Args:
        connection: to the store.
        model_name: of this model only; empty: of all.
    """
    rows = connection.rows(_EVENTS, {"model": model_name})
    return fold(_event(dict(zip(_FIELDS, row, strict=True))) for row in rows)


def _event(fields: dict[str, Any]) -> RegistryEvent:
    return RegistryEvent(**{**fields, "event_time": fields["event_time"].replace(tzinfo=UTC)})
