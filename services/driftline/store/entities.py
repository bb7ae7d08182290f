"""Predictions by what they are about."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from driftline.domain.hours import hour_of, hour_time
from driftline.domain.streams import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.store.connection import Connection

_ANSWERED = f"""
SELECT entity_id, counted_time, model_version, environment, event_id FROM predictions
WHERE model_name = {{model:String}} AND environment != '{REFERENCE}'
    AND hour >= {{since:DateTime('UTC')}} AND hour <= {{until:DateTime('UTC')}}
    AND entity_id IN {{entities:Array(String)}}
ORDER BY counted_time, event_id
"""


class EntityPrediction(NamedTuple):
    """One prediction of an entity: when it was made, by whom, and its id."""

    time: datetime
    model_version: str
    environment: str
    event_id: str


def find_answered(
    connection: Connection, model_name: str, entities: Collection[str], *, since: datetime, until: datetime
) -> Mapping[str, Sequence[EntityPrediction]]:
    """Return a model's predictions by what they are about, the oldest first. Reference rows are left out.

    Args:
        connection: to the store.
        model_name: the model.
        entities: what they are about.
        since: the hour of this time and later ones.
        until: up to the hour of this time.
    """
    bound = {
        "model": model_name,
        "entities": list(entities),
        "since": hour_time(hour_of(since)),
        "until": hour_time(hour_of(until)),
    }
    found: dict[str, list[EntityPrediction]] = defaultdict(list)
    for entity, time, version, environment, event_id in connection.rows(_ANSWERED, parameters=bound):
        found[entity].append(EntityPrediction(time.replace(tzinfo=UTC), version, environment, str(event_id)))
    return found
