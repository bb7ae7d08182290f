"""What a store holds, as DataFrames of pandas.

``driftline.read.verdicts("chdb:///var/lib/driftline/store")``, for example. Each function takes the store's
URL first, as commands take ``--store``. Times are UTC.
"""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from driftline.domain.hours import hour_of, hour_time
from driftline.domain.streams import PRODUCTION, Stream
from driftline.embedded import open_store
from driftline.errors import NotFoundError
from driftline.notebook.frame import frame_of
from driftline.performance.timeline import read_timeline
from driftline.store import ask
from driftline.store.incidents import read_incidents
from driftline.store.performance import Asked, read_performance_models
from driftline.store.predictions import Filter, read_predictions, read_versions
from driftline.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from driftline.store.connection import Connection

T = TypeVar("T")

_PATIENCE_S = 10.0
_INCIDENT = (
    "incident_id model_name model_version environment state since detected last headline features".split()
)
_PREDICTION = "event_id time model_version environment prediction label actual value tags".split()
_PERFORMANCE = (
    "start end model_name model_version environment metric value low high sample basis coverage".split()
)


def verdicts(
    store: str,
    *,
    model: str | None = None,
    since: datetime | None = None,
    names: tuple[str, ...] = (),
    limit: int = 100_000,
) -> pd.DataFrame:
    """Return drift verdicts, the newest first.

    Args:
        store: its URL.
        model: of this one only.
        since: of windows that ended after this time.
        names: of these only, such as ``("page", "warn")``.
        limit: at most so many.

    Raises:
        DriftlineError: the store can't be opened or asked.
    """
    rows = _ask(
        store,
        lambda connection: read_verdicts(
            connection, model_name=model, since=_utc(since), verdicts=names, limit=limit
        ),
    )
    return frame_of(rows)


def incidents(
    store: str, *, model: str | None = None, since: datetime | None = None, limit: int = 10_000
) -> pd.DataFrame:
    """Return incidents as they are at this moment, the newest first.

    Args:
        store: its URL.
        model: of this one only.
        since: that paged after this time.
        limit: at most so many.

    Raises:
        DriftlineError: the store can't be opened or asked.
    """
    found = _ask(
        store,
        lambda connection: read_incidents(connection, model_name=model, since=_utc(since), limit=limit),
    )
    rows = [
        {
            "incident_id": each.incident_id,
            **each.stream._asdict(),
            "state": each.state,
            "since": hour_time(each.since),
            "detected": hour_time(each.detected),
            "last": hour_time(each.last),
            "headline": each.headline,
            "features": list(dict.fromkeys(finding.feature for finding in each.findings)),
        }
        for each in found
    ]
    return frame_of(rows, _INCIDENT)


def predictions(
    store: str,
    model: str,
    *,
    version: str | None = None,
    environment: str = PRODUCTION,
    feature: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 1000,
) -> pd.DataFrame:
    """Return single predictions, the newest first, with their outcomes.

    Args:
        store: its URL.
        model: whose.
        version: of this one; left out: of the newest that has any.
        environment: where they were made.
        feature: whose value stands in the column ``value``.
        since: of this time or later.
        until: before this time.
        limit: at most so many.

    Raises:
        NotFoundError: the model has none there.
        DriftlineError: the store can't be opened or asked.
    """

    def question(connection: Connection) -> list[dict[str, Any]]:
        streams = [
            stream
            for stream in read_versions(connection, model)
            if stream.environment == environment and version in {None, stream.model_version}
        ]
        if not streams:
            raise NotFoundError(
                f"{model!r} has no prediction of version {version or 'any'} in {environment!r}"
            )
        wanted = Filter(since=_utc(since), until=_utc(until), feature=feature)
        found = read_predictions(connection, streams[0], wanted, limit=limit)
        return [_prediction(dataclasses.asdict(each), streams[0]) for each in found]

    return frame_of(_ask(store, question), _PREDICTION)


def _prediction(line: dict[str, Any], stream: Stream) -> dict[str, Any]:
    return {
        **line,
        "event_id": str(line["event_id"]),
        "prediction": line["number"],
        "model_version": stream.model_version,
        "environment": stream.environment,
    }


def performance(
    store: str,
    *,
    model: str | None = None,
    environment: str = PRODUCTION,
    since: datetime | None = None,
    hours: int = 168,
) -> pd.DataFrame:
    """Return how right models were: a row a period, version and metric, with its interval.

    Args:
        store: its URL.
        model: of this one only; left out: of all.
        environment: where they served.
        since: of periods from this time on.
        hours: length of a period.

    Raises:
        DriftlineError: the store can't be opened or asked.
    """

    def question(connection: Connection) -> list[dict[str, Any]]:
        models = [model] if model else list(read_performance_models(connection, environment))
        return [row for name in models for row in _periods(connection, name)]

    def _periods(connection: Connection, name: str) -> list[dict[str, Any]]:
        first = hour_of(since) if since else 0
        asked = Asked(model_name=name, environment=environment, since=first, hours=hours)
        timeline = read_timeline(connection, asked, now_s=time.time())
        return [
            {
                **period.stream._asdict(),
                "start": hour_time(period.start),
                "end": hour_time(period.end),
                "metric": metric,
                **dataclasses.asdict(value.measured),
                "basis": value.basis,
                "coverage": period.known / max(period.predictions - period.acted_on, 1),
            }
            for period in timeline.periods
            for metric, value in period.values.items()  # noqa: PD011  a mapping, no frame.
        ]

    return frame_of(_ask(store, question), _PERFORMANCE)


def _utc(moment: datetime | None) -> datetime | None:
    """Return a time in UTC; one without a zone is of it."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _ask(store: str, question: Callable[[Connection], T]) -> T:
    with open_store(store, use="read") as opened:
        return ask(opened, question, use="read", patience_s=_PATIENCE_S)
