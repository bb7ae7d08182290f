"""Many predictions at once, column by column: what a column holds is decided once.

A row's bytes are put together from parts: each part is the same for all rows, or one a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, TypeAlias

from driftline.wire.arrays import Coded, NumberColumn, TextColumn, pack, together
from driftline.wire.layouts import Doubles
from driftline.wire.named import Kind
from driftline.wire.primitives import NULL, encode_long
from driftline.wire.reasons import ValueRefusedError
from driftline.wire.shapes import one
from driftline.wire.values import LARGEST_DENSE_INTEGER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.wire.named import NamedValues


@dataclass(frozen=True, slots=True)
class Entries:
    """What stands in each row.

    Args:
        values: one a row.
        longest: bound of their lengths.
    """

    values: list[bytes]
    longest: int


Part: TypeAlias = "bytes | Entries"
"""What stands in all rows, or one in each."""

Column: TypeAlias = "NumberColumn | TextColumn | list[Any]"
"""Values as numpy holds them, or of any kind, one by one."""


Cells: TypeAlias = tuple[list[bytes], ...]
"""A column's entries by ``Kind`` of field: one a row, and no bytes where a value stands in another one."""


def entries(values: list[bytes]) -> Entries:
    """Return values of any lengths, one a row, as a part."""
    return Entries(values, max(map(len, values), default=0))


def join(parts: Iterable[Part | list[bytes]], first: int, end: int) -> list[bytes]:
    """Return rows [first, end) of what these parts make."""
    merged: list[Part | list[bytes]] = []
    for part in parts:
        if isinstance(part, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    columns = (
        repeat(part, end - first)
        if isinstance(part, bytes)
        else (part.values[first:end] if isinstance(part, Entries) else part)
        for part in merged
    )
    return list(map(b"".join, zip(*columns, strict=True)))


@dataclass(frozen=True, slots=True)
class OpenRows:
    """Records that lack their sequence numbers.

    Args:
        event_ids: of n rows.
        refused: why a row has no record, by its place.
        before: frame and fields before ``sequence``, of the n - len(refused) others.
        after: the fields after it.
    """

    event_ids: list[str]
    refused: Mapping[int, ValueRefusedError]
    before: Sequence[Part]
    after: Sequence[Part]

    @property
    def count(self) -> int:
        """How many records there are."""
        return len(self.event_ids) - len(self.refused)

    @property
    def longest(self) -> int:
        """Bound of the records' sizes, but for their numbers."""
        parts = (*self.before, *self.after)
        return sum(len(part) if isinstance(part, bytes) else part.longest for part in parts)

    def sizes(self, first: int) -> list[int]:
        """Return the records' sizes from the ``first`` on, but for their numbers."""
        return list(map(len, self.close([b""] * (self.count - first), first)))

    def close(self, numbers: list[bytes], first: int) -> list[bytes]:
        """Return whole records, from the ``first`` on, as many as there are numbers."""
        return join((*self.before, numbers, *self.after), first, first + len(numbers))


class Fields:
    """Encodes columns of features into numeric_features, categorical_features and missing_features.

    Columns in which every value is a number, or every value a string, are encoded without a step in
    Python for each value; the others value by value.

    Args:
        columns: by feature, all of one length; names as ``name_text`` returns them.
        named: encodes names and single values.
        prefix: what stands before their names in remarks.
    """

    def __init__(self, columns: Mapping[str, Column], named: NamedValues, prefix: str = "") -> None:
        self._named = named
        self._prefix = prefix
        self._arrays: dict[str, NumberColumn] = {}
        self._numbers: dict[str, list[Any]] = {}
        self._texts: dict[str, list[Any]] = {}
        coded: list[Coded] = []
        self._gappy: dict[str, Coded] = {}
        self._others: dict[str, NumberColumn | list[Any]] = {}
        for name, column in columns.items():
            if isinstance(column, TextColumn):
                self._code(name, column, coded)
            elif isinstance(column, NumberColumn):
                (self._arrays if column.missing is None else self._others)[name] = column
            else:
                self._kind(column)[name] = column
        self._coded_columns, self._coded = len(coded), together(coded)
        self._names = {name: named.name(name) for name in columns}
        self._pack = Doubles([self._names[name] for name in self._numbers])

    def _code(self, name: str, column: TextColumn, whole: list[Coded]) -> None:
        """Encode a column's different texts; take it value by value where one of them can't be encoded."""
        try:
            texts = [self._named.texts(name)[text] for text in column.texts]
        except ValueRefusedError:
            self._others[name] = values_of(column)
        else:
            if (column.codes < 0).any():
                self._gappy[name] = Coded(column.codes, [*texts, b""])
            else:
                whole.append(Coded(column.codes, texts))

    def _kind(self, values: list[Any]) -> dict[str, Any]:
        types = set(map(type, values))
        if types == {str}:
            return self._texts
        if types <= {float, bool} or (
            types == {int} and -LARGEST_DENSE_INTEGER <= min(values) <= max(values) <= LARGEST_DENSE_INTEGER
        ):
            return self._numbers
        return self._others

    def parts(self, first: int, end: int) -> tuple[list[Part], list[Part], list[Part]]:
        """Return the parts of rows [first, end), by ``Kind`` of field."""
        numeric: list[Part] = []
        if self._arrays:
            arrays = ((self._names[name], column.values[first:end]) for name, column in self._arrays.items())
            numeric.append(packed([*chain.from_iterable(arrays)], end - first))
        if self._numbers:
            columns = [values[first:end] for values in self._numbers.values()]
            numeric.append(alike(list(map(self._pack, zip(*columns, strict=True)))))
        categorical: list[Part] = [Entries(coded.take(first, end), coded.longest) for coded in self._coded]
        count = self._coded_columns
        cells: list[Cells] = []
        for name, gappy in self._gappy.items():
            taken = gappy.take(first, end)
            missing = [b"" if entry else self._names[name] for entry in taken]
            cells.append(([b""] * len(taken), taken, missing))
        for name, values in self._texts.items():
            try:
                categorical.append(entries(list(map(self._named.texts(name).__getitem__, values[first:end]))))
                count += 1
            except ValueRefusedError:  # One of them can't be encoded.
                cells.append(self._cells(name, values[first:end]))
        for name, column in self._others.items():
            cells.append(
                self._gapped(name, column, first, end)
                if isinstance(column, NumberColumn)
                else self._cells(name, column[first:end])
            )
        numbers = len(self._arrays) + len(self._numbers)
        return (
            _field(numbers, numeric, [cell[Kind.NUMERIC] for cell in cells]),
            _field(count, categorical, [cell[Kind.CATEGORICAL] for cell in cells]),
            _field(0, [], [cell[Kind.MISSING] for cell in cells]),
        )

    def _cells(self, name: str, values: list[Any]) -> Cells:
        """Return a column's entries value by value."""
        fields = tuple([b""] * len(values) for _ in Kind)
        feature, called = self._named.feature, self._prefix + name
        for row, value in enumerate(values):
            found = feature(name, one(value) if self._prefix else value, called)
            if found is not None:
                fields[found[0]][row] = found[1]
        return fields

    def _gapped(self, name: str, column: NumberColumn, first: int, end: int) -> Cells:
        """Return the entries of a column of numbers of which some are missing."""
        encoded = self._names[name]
        packed = pack([encoded, column.values[first:end]], end - first)
        missing = [False] * len(packed) if column.missing is None else column.missing[first:end].tolist()
        numbers = [b"" if gap else entry for gap, entry in zip(missing, packed, strict=True)]
        return numbers, [b""] * len(packed), [encoded if gap else b"" for gap in missing]


def packed(parts: Sequence[Any], rows: int) -> Entries:
    """Return what ``pack`` returns as a part."""
    return alike(pack(parts, rows))


def alike(values: list[bytes]) -> Entries:
    """Return values of one length as a part."""
    return Entries(values, len(values[0]) if values else 0)


def _field(count: int, parts: Sequence[Part], cells: Sequence[list[bytes]]) -> list[Part]:
    """Return the parts of a map or an array: its count, its entries and its end.

    Args:
        count: of the entries that each row has.
        parts: these entries.
        cells: further entries, each of which a row may have; no bytes where it has none.
    """
    filled = [column for column in cells if any(column)]
    if not filled:
        return [encode_long(count), *parts, NULL] if count else [NULL]
    counts = [b"" if number == 0 else encode_long(number) for number in range(count, count + len(filled) + 1)]
    extra = map(sum, zip(*(map(bool, column) for column in filled), strict=True))
    return [entries([counts[number] for number in extra]), *parts, *map(entries, filled), NULL]


def values_of(column: Column | None) -> list[Any]:
    """Return a column's values one by one; none of a column of numbers, which needs no such thing."""
    if isinstance(column, TextColumn):
        texts: list[Any] = [*column.texts, None]
        return [texts[code] for code in column.codes.tolist()]
    return column if isinstance(column, list) else []


def each_value(column: Column) -> list[Any]:
    """Return any column's values one by one."""
    if not isinstance(column, NumberColumn):
        return values_of(column)
    numbers: list[Any] = column.values.tolist()
    gaps = [False] * len(numbers) if column.missing is None else column.missing.tolist()
    return [None if gap else number for gap, number in zip(gaps, numbers, strict=True)]
