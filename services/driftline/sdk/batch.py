"""Many predictions or outcomes at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.sdk.columns import check_length, column_values, table_columns
from driftline.wire import RANDOM_BITS, OpenRecord, Reason, uuid7
from driftline.wire.reasons import ValueRefusedError
from driftline.wire.rows import FeatureRows
from driftline.wire.values import event_id_text, event_time_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from driftline.sdk.buffer import Topic
    from driftline.sdk.session import Session
    from driftline.wire import EventEncoder

_SLICE_ROWS = 256  # Numbered under one lock: a thread that logs meanwhile waits that long, some 0.2 ms.
_MAX_TAG_SETS = 10_000


@dataclass(frozen=True, slots=True)
class PredictionTable:
    """The columns of a batch, checked: every list has ``length`` values.

    Args:
        length: how many predictions.
        features: values by feature.
        columns: values by argument, for the arguments that were given.
        probabilities: values by class.
        tags: values by tag, for tags that differ between rows.
        constant_tags: value by tag, for those that don't.
    """

    length: int
    features: Mapping[str, list[Any]]
    columns: Mapping[str, list[Any]] = field(default_factory=dict)
    probabilities: Mapping[Any, list[Any]] = field(default_factory=dict)
    tags: Mapping[str, list[Any]] = field(default_factory=dict)
    constant_tags: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_arguments(
        cls, *, features: Any, tags: Any, probabilities: Any, **arguments: Any
    ) -> PredictionTable:
        """Return the table that the arguments of ``log_batch`` describe.

        Raises:
            SettingError: an argument is no column, or the columns differ in length.
        """
        feature_columns = table_columns(features, "features")
        columns = {
            name: column_values(column, name) for name, column in arguments.items() if column is not None
        }
        by_class = {
            name: column_values(column, f"probabilities[{name!r}]")
            for name, column in (probabilities or {}).items()
        }
        tag_columns, constant_tags = _split_tags(tags or {})
        named = {
            **{f"features[{name!r}]": values for name, values in feature_columns.items()},
            **columns,
            **{f"probabilities[{name!r}]": values for name, values in by_class.items()},
        }
        if not named:
            raise SettingError("a batch needs features or predictions")
        length = len(next(iter(named.values())))
        named |= {f"tags[{name!r}]": values for name, values in tag_columns.items()}
        for name, values in named.items():
            check_length(values, length, name)
        return cls(length, feature_columns, columns, by_class, tag_columns, constant_tags)


def _split_tags(tags: Mapping[str, Any]) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Return the tags that are columns, and those that hold for the whole batch."""
    columns: dict[str, list[Any]] = {}
    constants: dict[str, Any] = {}
    for name, value in tags.items():
        if value is None or isinstance(value, (str, bool, int, float)):
            constants[name] = value
        else:
            columns[name] = column_values(value, f"tags[{name!r}]")
    return columns, constants


class BatchEncoder:
    """Encodes the rows of a table for one session.

    Args:
        encoder: the session's.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: a source of random bits.
    """

    def __init__(
        self, encoder: EventEncoder, clock: Callable[[], float], random: Callable[[int], int]
    ) -> None:
        self._encoder = encoder
        self._clock = clock
        self._random = random
        self._tag_sets: dict[tuple[Any, ...], bytes] = {}

    def encode(self, table: PredictionTable) -> Iterator[list[tuple[str, OpenRecord] | ValueRefusedError]]:
        """Yield the rows, slice by slice: event_id and record, or why there is none."""
        features = FeatureRows(table.features)
        for first in range(0, table.length, _SLICE_ROWS):
            end = min(first + _SLICE_ROWS, table.length)
            yield self._slice(table, features, first, end)

    def _slice(
        self, table: PredictionTable, features: FeatureRows, first: int, end: int
    ) -> list[tuple[str, OpenRecord] | ValueRefusedError]:
        now = self._clock()
        given = {name: values[first:end] for name, values in table.columns.items()}
        encoded = features.encode(first, end) if table.features else [b"\x00\x00\x00"] * (end - first)
        rows = zip(
            encoded,
            given.get("event_ids") or repeat(None),
            given.get("event_times") or repeat(None),
            given.get("predictions") or repeat(None),
            given.get("labels") or repeat(None),
            self._probabilities(table, first, end),
            self._tags(table, first, end),
            *(given.get(name) or repeat(None) for name in _IDENTITIES_AND_TIMES),
            strict=False,
        )
        return [self._row(now, *row) for row in rows]

    def _row(  # noqa: PLR0917 - a row's values come in the order of the zip above.
        self,
        now: float,
        features: bytes | ValueRefusedError,
        event_id: Any,
        event_time: Any,
        prediction: Any,
        label: Any,
        probabilities: Any,
        tags: bytes | ValueRefusedError | None,
        *others: Any,
    ) -> tuple[str, OpenRecord] | ValueRefusedError:
        try:
            identity = (
                uuid7(int(now * 1000), self._random(RANDOM_BITS))
                if event_id is None
                else event_id_text(event_id)
            )
            time_us = int(now * 1e6) if event_time is None else event_time_us(event_time)
            # Of several reasons the one counts that would in ``PredictionLogger.log``.
            if isinstance(features, ValueRefusedError):
                return features
            answer = self._encoder.answer(prediction, label, probabilities)
            if isinstance(tags, ValueRefusedError):
                return tags
            entity_id, request_id, trace_id, latency_us, compute_us = others
            return identity, self._encoder.prediction(
                event_id=identity,
                time_us=time_us,
                features=features,
                prediction=answer,
                tags=tags,
                entity_id=entity_id,
                request_id=request_id,
                trace_id=trace_id,
                latency_us=latency_us,
                compute_us=compute_us,
            )
        except ValueRefusedError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
            return ValueRefusedError(Reason.INTERNAL_ERROR, f"an argument made a {type(error).__name__}")

    def _probabilities(self, table: PredictionTable, first: int, end: int) -> Iterable[Any]:
        if not table.probabilities:
            return repeat(None)
        classes = list(table.probabilities)
        columns = (values[first:end] for values in table.probabilities.values())
        return (dict(zip(classes, row, strict=True)) for row in zip(*columns, strict=True))

    def _tags(
        self, table: PredictionTable, first: int, end: int
    ) -> Iterable[bytes | ValueRefusedError | None]:
        if not table.tags and not table.constant_tags:
            return repeat(None)
        if not table.tags:
            return repeat(self._tag_set(table, ()), end - first)
        rows = zip(*(values[first:end] for values in table.tags.values()), strict=True)
        return (self._tag_set(table, row) for row in rows)

    def _tag_set(self, table: PredictionTable, row: tuple[Any, ...]) -> bytes | ValueRefusedError:
        """Return a row's tags. Rows often have the same ones, which are encoded once."""
        try:
            known = self._tag_sets.get(row)
            if known is None:
                tags = {**table.constant_tags, **dict(zip(table.tags, row, strict=True))}
                known = self._encoder.tags(tags)
                if len(self._tag_sets) < _MAX_TAG_SETS:
                    self._tag_sets[row] = known
        except ValueRefusedError as error:
            return error
        except Exception as error:  # noqa: BLE001 - as in ``_row``.
            return ValueRefusedError(Reason.INTERNAL_ERROR, f"a tag made a {type(error).__name__}")
        return known


_IDENTITIES_AND_TIMES = ("entity_ids", "request_ids", "trace_ids", "latencies_us", "compute_times_us")


def offer_slices(
    session: Session,
    topic: Topic,
    slices: Iterable[Sequence[tuple[str, OpenRecord] | ValueRefusedError]],
    timeout_s: float,
) -> list[str | None]:
    """Have the session keep the rows, waiting for room; return the event_ids, None for dropped rows."""
    end = time.monotonic() + timeout_s
    event_ids: list[str | None] = []
    for rows in slices:
        kept = _offer(session, topic, [row[1] for row in rows if isinstance(row, tuple)], end)
        for row in rows:
            if isinstance(row, ValueRefusedError):
                session.refuse(row.reason, row.detail)
                event_ids.append(None)
            else:
                event_ids.append(row[0] if kept > 0 else None)
                kept -= 1
    return event_ids


def _offer(session: Session, topic: Topic, records: Sequence[OpenRecord], end: float) -> int:
    """Have the session keep records until none fits any more; return how many it kept."""
    session.shipper.begin()
    kept = 0
    while kept < len(records):
        step = session.buffer.offer_all(topic, records[kept:], end - time.monotonic())
        if not step:
            session.refuse_waiting(len(records) - kept)
            break
        kept += step
    return kept


def outcome_slices(
    session: Session, event_ids: Any, actuals: Any, observed_times: Any, clock: Callable[[], float]
) -> Iterator[list[tuple[str, OpenRecord] | ValueRefusedError]]:
    """Yield outcomes, slice by slice: event_id and record, or why there is none.

    Raises:
        SettingError: an argument is no column, or the columns differ in length.
    """
    ids = column_values(event_ids, "event_ids")
    truths = column_values(actuals, "actuals")
    times = None if observed_times is None else column_values(observed_times, "observed_times")
    check_length(truths, len(ids), "actuals")
    if times is not None:
        check_length(times, len(ids), "observed_times")

    def encode(row: int) -> tuple[str, OpenRecord] | ValueRefusedError:
        try:
            time_us = int(clock() * 1e6) if times is None else event_time_us(times[row])
            record = session.encoder.outcome(event_id=ids[row], time_us=time_us, actual=truths[row])
        except ValueRefusedError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
            return ValueRefusedError(Reason.INTERNAL_ERROR, f"an argument made a {type(error).__name__}")
        return str(ids[row]), record

    return (
        [encode(row) for row in range(first, min(first + _SLICE_ROWS, len(ids)))]
        for first in range(0, len(ids), _SLICE_ROWS)
    )
