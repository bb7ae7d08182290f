"""Predictions with the features that they were logged with, sampled by what they are about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.domain.names import PROVENANCE_TAG
from driftline.store.feature_values import HISTORY, US, FeatureRow, history_parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection
    from driftline.store.feature_values import Place

_WINDOW = (
    "model_name = {model:String} AND ({version:String} = '' OR model_version = {version:String}) "
    "AND environment = {environment:String} AND set_aside = '' "
    "AND hour >= toStartOfHour({since:DateTime64(6, 'UTC')}) AND hour <= {until:DateTime64(6, 'UTC')} "
    "AND counted_time >= {since:DateTime64(6, 'UTC')} AND counted_time < {until:DateTime64(6, 'UTC')}"
)
# All events of some entities, rather than some of each: so what happens to one can be followed.
_SAMPLE = f"""
SELECT toString(event_id) AS id, counted_time, model_version, entity_id, tags, numeric_features,
    categorical_features, missing_features
FROM predictions WHERE {_WINDOW}
    AND ({{key:String}} = '' OR tags[{{key:String}}] = {{part:String}}
        OR categorical_features[{{key:String}}] = {{part:String}})
ORDER BY cityHash64(ifNull(entity_id, id)), counted_time, id LIMIT {{limit:UInt32}}
"""
_COUNT = f"""
SELECT count(), countIf(mapContains(tags, '{PROVENANCE_TAG}')) FROM predictions WHERE {_WINDOW}
"""
_HISTORIES = f"""
SELECT entity, {US % "event_time"}, {US % "available_time"}, arrival, numbers, texts
FROM feature_values
WHERE {HISTORY} AND entity IN {{entities:Array(String)}}
    AND greatest(event_time, available_time) <= fromUnixTimestamp64Micro({{until:Int64}}, 'UTC')
ORDER BY entity, greatest(event_time, available_time) DESC, arrival DESC LIMIT {{limit:UInt32}} BY entity
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Whose predictions of when.

    Args:
        stream: of which model, version and environment; an empty version: of all.
        since: of this time or later, in UTC.
        until: before this time, in UTC.
    """

    stream: Stream
    since: datetime
    until: datetime

    def parameters(self) -> dict[str, Any]:
        """Return what conditions on it bind."""
        return {
            "model": self.stream.model_name,
            "version": self.stream.model_version,
            "environment": self.stream.environment,
            "since": f"{self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}",
            "until": f"{self.until.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}",
        }


@dataclass(frozen=True, slots=True)
class FeatureEvent:
    """A prediction as it was logged.

    Args:
        event_id: its id.
        time: when it was made, in UTC.
        model_version: which version answered.
        entity_id: what it is about; None: it was logged without.
        tags: its tags, the provenance among them.
        features: its inputs by name; None: it was logged without a value.
    """

    event_id: str
    time: datetime
    model_version: str
    entity_id: str | None
    tags: Mapping[str, str]
    features: Mapping[str, float | str | None]


def sample_events(
    connection: Connection, window: Window, *, limit: int, segment: str = ""
) -> Sequence[FeatureEvent]:
    """Return events of a window, all those of an entity before those of the next; which entities is chance.

    Args:
        connection: to the store.
        window: whose, and of when.
        limit: at most so many.
        segment: of this part of the traffic, ``key=value``; empty: of all of it.
    """
    key, _, part = segment.partition("=")
    rows = connection.rows(_SAMPLE, {**window.parameters(), "limit": limit, "key": key, "part": part})
    return [
        FeatureEvent(
            event_id,
            time.replace(tzinfo=UTC),
            version,
            entity_id,
            tags,
            {**dict.fromkeys(missing), **categorical, **numeric},
        )
        for event_id, time, version, entity_id, tags, numeric, categorical, missing in rows
    ]


def count_events(connection: Connection, window: Window) -> tuple[int, int]:
    """Return how many events a window has, and how many of them say where their features came from."""
    events, known = connection.rows(_COUNT, window.parameters())[0]
    return int(events), int(known)


def read_histories(
    connection: Connection, place: Place, entities: Collection[str], until_us: int, *, limit: int
) -> Mapping[str, Sequence[FeatureRow]]:
    """Return rows of entities that could be known at a time, by entity, those that could be last first.

    Args:
        connection: to the store.
        place: the view.
        entities: which; not many.
        until_us: as of when, microseconds since 1970.
        limit: at most so many of each.
    """
    bound = {**history_parameters(place), "entities": list(entities), "until": until_us, "limit": limit}
    found: dict[str, list[FeatureRow]] = {}
    for row in connection.rows(_HISTORIES, bound):
        found.setdefault(row[0], []).append(FeatureRow(*row))
    return found
