"""Outcomes from a file into the event log: row by row, by event id, or by entity and time.

What is wrong with one row costs that row alone, and is reported with its number. Rows go into the log in
chunks; importing a file again changes nothing, as long as it says the same.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from driftline.log.base import Record
from driftline.store.entities import EntityPrediction, find_answered
from driftline.wire import (
    OUTCOMES_TOPIC,
    EventEncoder,
    SessionFields,
    ValueRefusedError,
    close_record,
)
from driftline.wire.values import event_time_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from driftline.log import LogWriter
    from driftline.store.connection import Connection

CHUNK_ROWS = 5_000

COLUMNS = ("event_id", "entity_id", "time", "actual", "observed_time", "revision", "acted_on")
"""What a file may hold of an outcome. Each row needs an event_id, or an entity_id and a time."""

_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})


class BadRowError(ValueError):
    """A row can't be imported; says why."""


class BadRow(NamedTuple):
    """A row that was not imported: its number, from 1 behind the heading, and why."""

    row: int
    reason: str


@dataclass(slots=True)
class Imported:
    """What became of a file.

    Args:
        rows: that it has.
        outcomes: that were logged. A row that names an entity has one for each version that answered.
        bad: rows that were not imported.
    """

    rows: int = 0
    outcomes: int = 0
    bad: list[BadRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """One row that can be imported, once its prediction is found.

    Args:
        number: of the row.
        event_id: of its prediction; empty: it is named by entity and time.
        entity_id: see there.
        time: when the entity's prediction was made, or later; None without an entity.
        arguments: the others of `EventEncoder.outcome`.
    """

    number: int
    event_id: str
    entity_id: str
    time: datetime | None
    arguments: Mapping[str, Any]


class Importer:
    """Imports outcomes of one model.

    Args:
        model_name: the model.
        writer: where outcomes go.
        connection: of the store, which knows the predictions of an entity; None: rows have event ids.
        within: how long before a row's time the entity's prediction was made at most.
        labels: whether actuals are labels also where they look like numbers.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
    """

    def __init__(
        self,
        *,
        model_name: str,
        writer: LogWriter,
        connection: Connection | None,
        within: timedelta,
        labels: bool,
        clock: Callable[[], float],
    ) -> None:
        self._model_name = model_name
        self._writer = writer
        self._connection = connection
        self._within = within
        self._labels = labels
        self._clock = clock
        self._session_id = str(uuid4())
        fields = SessionFields(self._session_id, model_name, "", "", "", {})
        self._encoder = EventEncoder(fields, secrets.SystemRandom().getrandbits)
        self._sequence = 0

    def run(self, rows: Iterable[Mapping[str, Any]]) -> Imported:
        """Import rows; each holds its values by the names in `COLUMNS`.

        Raises:
            LogError: the log can't be used; the rows before are in it.
            StoreError: the store is away.
        """
        done = Imported()
        rest = iter(rows)
        while chunk := list(islice(rest, CHUNK_ROWS)):
            good: list[Row] = []
            for number, row in enumerate(chunk, done.rows + 1):
                try:
                    good.append(self._read(number, row))
                except (BadRowError, ValueRefusedError) as error:
                    done.bad.append(BadRow(number, _reason(error)))
            records, missing = self._records(good)
            self._writer.append(records)
            done.rows += len(chunk)
            done.outcomes += len(records)
            done.bad += missing
        done.bad.sort()
        return done

    def _read(self, number: int, row: Mapping[str, Any]) -> Row:
        given = {name: value for name, value in row.items() if not _is_missing(value)}
        event_id, entity_id = (str(given.get(name, "")) for name in ("event_id", "entity_id"))
        if not event_id and not (entity_id and "time" in given):
            raise BadRowError("it names no prediction: it needs an event_id, or an entity_id and a time")
        time = None if event_id else _time("time", given["time"])
        if time is not None and self._connection is None:
            raise BadRowError("a prediction can be found by its entity only where the store is")
        arguments = {
            "time_us": _micros("observed_time", given.get("observed_time", self._clock())),
            "actual": self._actual(given.get("actual")),
            "revision": _whole("revision", given.get("revision", 0)),
            "acted_on": _flag("acted_on", given.get("acted_on")),
        }
        checked = event_id or "00000000-0000-0000-0000-000000000000"
        self._encoder.outcome(event_id=checked, now_s=self._clock(), **arguments)
        return Row(number, event_id, entity_id, time, arguments)

    def _actual(self, value: Any) -> Any:
        if isinstance(value, str) and not self._labels:
            try:
                return float(value)
            except ValueError:
                return value
        return str(value) if self._labels and value is not None else value

    def _records(self, rows: Sequence[Row]) -> tuple[list[Record], list[BadRow]]:
        """Return the records of rows, and the rows whose prediction is not known."""
        named = [row for row in rows if row.time is not None]
        answered = self._answered(named)
        records: list[Record] = []
        missing: list[BadRow] = []
        for row in rows:
            event_ids = [row.event_id] if row.event_id else _latest(answered, row, self._within)
            if not event_ids:
                missing.append(
                    BadRow(
                        row.number,
                        f"no prediction of {self._model_name} for entity {row.entity_id!r} is known in "
                        f"the {self._within} up to {row.time:%Y-%m-%d %H:%M:%S}",
                    )
                )
            records += [self._record(event_id, row.arguments) for event_id in event_ids]
        return records, missing

    def _answered(self, rows: Sequence[Row]) -> Mapping[str, Sequence[EntityPrediction]]:
        times = [row.time for row in rows if row.time is not None]
        if not times or self._connection is None:
            return {}
        return find_answered(
            self._connection,
            self._model_name,
            {row.entity_id for row in rows},
            since=min(times) - self._within,
            until=max(times),
        )

    def _record(self, event_id: str, arguments: Mapping[str, Any]) -> Record:
        self._sequence += 1
        outcome = self._encoder.outcome(event_id=event_id, now_s=self._clock(), **arguments)
        return Record(OUTCOMES_TOPIC, self._session_id.encode(), close_record(outcome, self._sequence))


def _latest(answered: Mapping[str, Sequence[EntityPrediction]], row: Row, within: timedelta) -> Sequence[str]:
    """Return the newest prediction of a row's entity up to its time, of each version and environment."""
    found: dict[tuple[str, str], str] = {}
    for each in answered.get(row.entity_id, ()):
        if row.time is not None and row.time - within <= each.time <= row.time:
            found[each.model_version, each.environment] = each.event_id
    return list(found.values())


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or value != value  # noqa: PLR0124  NaN is what pandas writes.


def _micros(name: str, value: Any) -> int:
    try:
        found = event_time_us(_number(value))
    except ValueRefusedError as error:
        raise BadRowError(f"{name} {value!r} is {error.detail}") from error
    if found is None:
        raise BadRowError(f"{name} is missing")
    return found


def _time(name: str, value: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=_micros(name, value))


def _number(value: Any) -> Any:
    """Return a time that is given in seconds as a number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _whole(name: str, value: Any) -> Any:
    try:
        return int(value) if isinstance(value, str) else value
    except ValueError:
        raise BadRowError(f"{name} {value!r} is no whole number") from None


def _flag(name: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise BadRowError(f"{name} {value!r} is neither true nor false")
    return text in _TRUE


def _reason(error: BadRowError | ValueRefusedError) -> str:
    return error.detail if isinstance(error, ValueRefusedError) else str(error)
