"""Predictions of one session as a table of columns, from the user's values to records, slice by slice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from driftline.wire.arrays import NumberColumn, dashed, loaded
from driftline.wire.bounds import MAX_EVENT_BYTES, MAX_OUTPUTS
from driftline.wire.events import check_size
from driftline.wire.named import Kind
from driftline.wire.outputs import NO_OUTPUTS, OUTPUTS, too_many
from driftline.wire.primitives import NULL, SOME, pack_double
from driftline.wire.reasons import ValueRefusedError
from driftline.wire.rows import Entries, Fields, OpenRows, alike, each_value, entries, packed, values_of
from driftline.wire.shapes import is_several

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.wire.events import EventEncoder
    from driftline.wire.rows import Column, Part

_MAX_TAG_SETS = 10_000
_MISSING: Final = float("nan")


@dataclass(frozen=True, slots=True)
class PredictionTable:
    """Many predictions. Every column has ``length`` values; names are as ``name_text`` returns them.

    Args:
        length: how many predictions.
        features: values by feature.
        predictions: numbers or labels; None: none were given. Or, as a list, answers of any shape.
        probabilities: values by class; or, as a list, a row's in the order of ``classes``.
        tags: values by tag.
        others: values by argument of ``log_batch``, for those others that were given.
        outputs: values by output, of all answers or beside them.
        classes: what probabilities in rows are of. None: they are numbered.
    """

    length: int
    features: Mapping[str, Column] = field(default_factory=dict)
    predictions: Column | None = None
    probabilities: Mapping[str, Column] | list[Any] = field(default_factory=dict)
    tags: Mapping[str, list[Any]] = field(default_factory=dict)
    others: Mapping[str, list[Any]] = field(default_factory=dict)
    outputs: Mapping[str, Column] = field(default_factory=dict)
    classes: Sequence[Any] | None = None


class TableEncoder:
    """Encodes a table for one session: what ``EventEncoder.prediction`` makes of each row.

    Args:
        encoder: the session's.
        table: the predictions.
    """

    def __init__(self, encoder: EventEncoder, table: PredictionTable) -> None:
        self._encoder = encoder
        self._table = table
        self._features = Fields(table.features, encoder.named)
        rows = table.probabilities if isinstance(table.probabilities, list) else None
        by_class = {} if isinstance(table.probabilities, list) else table.probabilities
        self._shares = rows
        self._classes = Fields(
            {name: self._probabilities(name, column) for name, column in by_class.items()}, encoder.named
        )
        kept = dict(list(table.outputs.items())[:MAX_OUTPUTS])
        self._outputs = Fields(kept, encoder.named, f"{OUTPUTS}.")
        self._predictions = values_of(table.predictions)
        self._is_plain = not any(map(is_several, self._predictions))
        beside = {} if self._is_plain else table.outputs
        self._beside = {name: each_value(column) for name, column in beside.items()}
        self._tag_sets: dict[tuple[str | None, ...], bytes] = {}

    def rows(self, first: int, end: int, now_s: float) -> OpenRows:
        """Return rows [first, end).

        Args:
            first: the first row.
            end: the row behind the last one.
            now_s: the time now, seconds since 1970-01-01T00:00:00Z.
        """
        event_ids, identities = self._identities(first, end, now_s)
        answers, outputs = self._answers(first, end) if self._is_plain else self._apart(first, end)
        times = self._times(first, end, now_s)
        before: list[Part] = [self._encoder.head, identities, times, self._encoder.session]
        after: list[Part] = [
            self._encoder.environment,
            self._texts("entity_ids", "entity_id", first, end),
            self._texts("request_ids", "request_id", first, end),
            self._traces(first, end),
            *(part for field in self._features.parts(first, end) for part in field),
            *answers,
            *self._by_class(first, end),
            self._tags(first, end),
            self._durations("latencies_us", "latency_us", first, end),
            self._durations("compute_times_us", "compute_us", first, end),
            *outputs,
        ]
        return _without_large(OpenRows(event_ids, {}, before, after))

    def _identities(self, first: int, end: int, now_s: float) -> tuple[list[str], Entries]:
        """Return the event_ids, and the same encoded."""
        given, ids = self._given("event_ids", first, end), self._encoder.ids
        if given is None and loaded() is not None:
            encoded = dashed(*ids.digits(int(now_s * 1000), end - first)).tolist()
            return list(map(bytes.decode, encoded)), alike(encoded)
        if given is None:
            event_ids = ids.several(int(now_s * 1000), end - first)
        else:
            event_ids = [self._encoder.identity(value, now_s) for value in given]
        return event_ids, alike([event_id.encode() for event_id in event_ids])

    def _given(self, argument: str, first: int, end: int) -> list[Any] | None:
        values = self._table.others.get(argument)
        return None if values is None else values[first:end]

    def _times(self, first: int, end: int, now_s: float) -> Part:
        times = self._given("event_times", first, end)
        if times is None:
            return self._encoder.time(None, now_s)
        # In a column, None is a time that is missing, as NaT is: numpy makes the one of the other.
        return entries([self._encoder.time(_MISSING if value is None else value, now_s) for value in times])

    def _texts(self, argument: str, name: str, first: int, end: int) -> Part:
        values = self._given(argument, first, end)
        if values is None:
            return NULL
        return entries(self._encoder.named.optionals(name, values))

    def _traces(self, first: int, end: int) -> Part:
        values = self._given("trace_ids", first, end)
        return NULL if values is None else entries([self._encoder.trace(value) for value in values])

    def _durations(self, argument: str, name: str, first: int, end: int) -> Part:
        values = self._given(argument, first, end)
        if values is None:
            return NULL
        return entries([self._encoder.duration(name, value) for value in values])

    def _answers(self, first: int, end: int) -> tuple[list[Part], list[Part]]:
        """Return prediction_number and prediction_label; and the fields of outputs."""
        outputs = self._columns_of_outputs(first, end)
        labels = self._given("labels", first, end)
        numbers = self._numbers(self._table.predictions, first, end)
        if numbers is None:
            values = self._predictions[first:end]
            pairs = zip(values, labels or [None] * (end - first), strict=True)
            return [entries([self._encoder.choice(*pair) for pair in pairs])], outputs
        if labels is None:
            return [numbers, NULL], outputs
        return [numbers, entries(self._encoder.named.optionals("label", labels))], outputs

    def _columns_of_outputs(self, first: int, end: int) -> list[Part]:
        if not self._table.outputs:
            return [NO_OUTPUTS]
        if len(self._table.outputs) > MAX_OUTPUTS:
            too_many(self._encoder.named, end - first)
        return [part for found in self._outputs.parts(first, end) for part in found]

    def _apart(self, first: int, end: int) -> tuple[list[Part], list[Part]]:
        """Return what ``_answers`` does, where an answer has a shape of its own: row by row."""
        encoder = self._encoder
        labels = self._given("labels", first, end) or [None] * (end - first)
        answers: list[bytes] = []
        outputs: list[bytes] = []
        for row, label in zip(range(first, end), labels, strict=True):
            beside = {name: column[row] for name, column in self._beside.items()} or None
            single, several = encoder.outputs.split(self._predictions[row], beside)
            answers.append(encoder.choice(single, label))
            outputs.append(encoder.outputs.encode(several))
        return [entries(answers)], [entries(outputs)]

    def _by_class(self, first: int, end: int) -> list[Part]:
        if self._shares is None:
            return self._classes.parts(first, end)[Kind.NUMERIC]
        classes = self._table.classes
        return [entries([self._encoder.shares(row, classes) for row in self._shares[first:end]])]

    def _numbers(self, column: Column | None, first: int, end: int) -> Part | None:
        """Return predictions that are all numbers, or missing; None: they are not."""
        if column is None:
            return NULL
        if isinstance(column, NumberColumn):
            numbers = packed([SOME, column.values[first:end]], end - first)
            if column.missing is None:
                return numbers
            missing = column.missing[first:end].tolist()
            written = [NULL if gap else number for gap, number in zip(missing, numbers.values, strict=True)]
            return Entries(written, numbers.longest)
        values = self._predictions[first:end]
        if set(map(type, values)) == {float}:
            return alike([SOME + pack_double(value) for value in values])
        return None

    def _probabilities(self, name: str, column: Column) -> Column:
        """Return a class's probabilities, of which each is a number or missing."""
        if isinstance(column, NumberColumn):
            return column
        return [self._encoder.named.number(f"probabilities.{name}", value) for value in values_of(column)]

    def _tags(self, first: int, end: int) -> Part:
        if not self._table.tags:
            return self._encoder.no_tags
        columns = [
            self._encoder.named.column(f"tags.{name}", values[first:end])
            for name, values in self._table.tags.items()
        ]
        known = self._tag_sets
        return entries([known.get(row) or self._tag_set(row) for row in zip(*columns, strict=True)])

    def _tag_set(self, row: tuple[str | None, ...]) -> bytes:
        """Return a row's tags. Rows often have the same ones, which are encoded once."""
        texts = dict(zip(self._table.tags, row, strict=True))
        try:
            encoded = self._encoder.tag_set(texts)
        except ValueRefusedError:  # One of them can't be encoded, which is remarked each time.
            return self._encoder.tags(texts)
        if len(self._tag_sets) < _MAX_TAG_SETS:
            self._tag_sets[row] = encoded
        return encoded


def _without_large(rows: OpenRows) -> OpenRows:
    """Return the rows, with those refused that are too large."""
    if rows.longest <= MAX_EVENT_BYTES:
        return rows
    refused: dict[int, ValueRefusedError] = {}
    for row, size in enumerate(rows.sizes(0)):
        try:
            check_size(size)
        except ValueRefusedError as error:
            refused[row] = error
    rest = [row for row in range(rows.count) if row not in refused]

    def kept(parts: Sequence[Part]) -> list[Part]:
        return [
            part if isinstance(part, bytes) else Entries([part.values[row] for row in rest], part.longest)
            for part in parts
        ]

    return OpenRows(rows.event_ids, refused, kept(rows.before), kept(rows.after))
