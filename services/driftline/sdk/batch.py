"""Many predictions or outcomes at once."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from driftline.errors import SettingError
from driftline.sdk.columns import category_column, check_length, listed, table_columns, value_column
from driftline.sdk.matrices import answer_columns, class_columns
from driftline.sdk.request import current_request
from driftline.wire import (
    OpenRecord,
    OpenRows,
    PredictionTable,
    Reason,
    TableEncoder,
    ValueRefusedError,
    entries,
)
from driftline.wire.outputs import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from driftline.sdk.buffer import Topic
    from driftline.sdk.session import Session
    from driftline.wire import Column, EventEncoder
    from driftline.wire.named import NamedValues

_SLICE_ROWS = 1_000  # Numbered under one lock: a thread that logs meanwhile waits that long, some 0.2 ms.
_SCALARS = (str, bool, int, float)
_PLURALS = MappingProxyType(
    {
        "entity_id": "entity_ids",
        "request_id": "request_ids",
        "trace_id": "trace_ids",
        "latency_us": "latencies_us",
    }
)


def prediction_table(
    named: NamedValues,
    *,
    features: Any,
    predictions: Any,
    probabilities: Any,
    tags: Any,
    outputs: Any = None,
    classes: Any = None,
    categorical: Collection[str] = (),
    **others: Any,
) -> PredictionTable:
    """Return the table that the arguments of ``log_batch`` describe.

    Raises:
        SettingError: an argument is no column, or the columns differ in length.
    """
    by_feature = _value_columns("features", features, named, categorical)
    known = None if classes is None else listed(classes, "classes")
    shares = class_columns(probabilities, known)
    by_class = shares if isinstance(shares, list) else _value_columns("probabilities", shares, named)
    answers, own = answer_columns(predictions)
    by_output = _value_columns(OUTPUTS, own, named)
    if outputs is not None:
        more = _value_columns(OUTPUTS, outputs, named)
        by_output = named.unique([*by_output.items(), *more.items()], OUTPUTS)
    given = {name: listed(column, name) for name, column in others.items() if column is not None}
    sizes = {
        **{f"features[{name!r}]": len(column) for name, column in by_feature.items()},
        **({} if answers is None else {"predictions": len(answers)}),
        **{name: len(column) for name, column in given.items()},
        **_sizes("probabilities", by_class),
        **_sizes(OUTPUTS, by_output),
    }
    if not sizes:
        raise SettingError("a batch needs features or predictions")
    length = next(iter(sizes.values()))
    request = current_request.get()
    if request is not None:
        tags = request.merged(tags)
        for name, value in request.values().items():
            if value is not None:
                given.setdefault(_PLURALS[name], [value] * length)
    by_tag = {
        name: [value] * length if _is_constant(value) else listed(value, f"tags[{name!r}]")
        for name, value in table_columns(tags, "tags", named).items()
    }
    sizes |= {f"tags[{name!r}]": len(column) for name, column in by_tag.items()}
    for name, rows in sizes.items():
        check_length(rows, length, name)
    return PredictionTable(length, by_feature, answers, by_class, by_tag, given, by_output, known)


def _sizes(argument: str, columns: Mapping[str, Column] | list[Any]) -> dict[str, int]:
    if isinstance(columns, list):
        return {argument: len(columns)}
    return {f"{argument}[{name!r}]": len(column) for name, column in columns.items()}


def _value_columns(
    argument: str, table: Any, named: NamedValues, categorical: Collection[str] = ()
) -> dict[str, Column]:
    return {
        name: (category_column if name in categorical else value_column)(column, f"{argument}[{name!r}]")
        for name, column in table_columns(table, argument, named).items()
    }


def _is_constant(tag: Any) -> bool:
    """Return whether a tag is one value for all rows."""
    return tag is None or isinstance(tag, _SCALARS) or not hasattr(type(tag), "__len__")


def prediction_slices(
    encoder: EventEncoder, table: PredictionTable, clock: Callable[[], float]
) -> Iterator[OpenRows]:
    """Yield a table's rows, slice by slice."""
    rows = TableEncoder(encoder, table)
    for first in range(0, table.length, _SLICE_ROWS):
        yield rows.rows(first, min(first + _SLICE_ROWS, table.length), clock())


def offer_slices(
    session: Session, topic: Topic, slices: Iterable[OpenRows], timeout_s: float
) -> list[str | None]:
    """Offer the rows to the session, waiting for room; return the event_ids, None for dropped rows."""
    end = time.monotonic() + timeout_s
    event_ids: list[str | None] = []
    for rows in slices:
        kept = _offer(session, topic, rows, end)
        if kept == len(rows.event_ids):
            event_ids += rows.event_ids
            continue
        for place, event_id in enumerate(rows.event_ids):
            refused = rows.refused.get(place)
            if refused is not None:
                session.refuse(topic, refused.reason, refused.detail)
            event_ids.append(event_id if refused is None and kept > 0 else None)
            kept -= refused is None
    return event_ids


def _offer(session: Session, topic: Topic, rows: OpenRows, end: float) -> int:
    """Have the session keep records until none fits any more; return how many it kept."""
    session.shipper.begin()
    kept = 0
    while kept < rows.count:
        step = session.buffer.offer_all(topic, rows, kept, end - time.monotonic())
        if not step:
            session.refuse_waiting(topic, rows.count - kept)
            break
        kept += step
    return kept


class OutcomeColumns(NamedTuple):
    """The columns that ``log_outcomes`` takes, or their values in one row; None: not given."""

    event_ids: Any
    actuals: Any
    observed_times: Any = None
    revisions: Any = None
    acted_on: Any = None


def outcome_record(session: Session, row: OutcomeColumns, now_s: float) -> OpenRecord:
    """Return one outcome's record, but for its sequence number.

    Args:
        session: that logs it.
        row: what is known.
        now_s: the time now, seconds since 1970-01-01T00:00:00Z.

    Raises:
        ValueRefusedError: it can't be an outcome.
    """
    encoder = session.encoder
    return encoder.outcome(
        event_id=row.event_ids,
        time_us=encoder.micros("observed_time", row.observed_times, now_s),
        actual=row.actuals,
        now_s=now_s,
        revision=row.revisions,
        acted_on=row.acted_on,
    )


def outcome_slices(
    session: Session, columns: OutcomeColumns, clock: Callable[[], float]
) -> Iterator[OpenRows]:
    """Yield outcomes, slice by slice.

    Raises:
        SettingError: an argument is no column, or the columns differ in length.
    """
    ids = listed(columns.event_ids, "event_ids")
    given: list[Sequence[Any]] = []
    for name, column in columns._asdict().items():
        given.append([None] * len(ids) if column is None else listed(column, name))
        check_length(len(given[-1]), len(ids), name)

    def encode(first: int, end: int) -> OpenRows:
        now_s = clock()
        refused: dict[int, ValueRefusedError] = {}
        records: list[OpenRecord] = []
        rows = zip(*(column[first:end] for column in given), strict=True)
        for place, row in enumerate(rows):
            try:
                records.append(outcome_record(session, OutcomeColumns._make(row), now_s))
            except ValueRefusedError as error:
                refused[place] = error
            except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
                detail = f"an argument made a {type(error).__name__}"
                refused[place] = ValueRefusedError(Reason.INTERNAL_ERROR, detail)
        return OpenRows(
            [str(event_id) for event_id in ids[first:end]],
            refused,
            [entries([before for before, _ in records])],
            [entries([after for _, after in records])],
        )

    return (encode(first, min(first + _SLICE_ROWS, len(ids))) for first in range(0, len(ids), _SLICE_ROWS))
