"""Features of many predictions at once, column by column: what a column holds is decided once."""

from __future__ import annotations

from itertools import repeat, starmap
from struct import Struct
from typing import TYPE_CHECKING, Any

from driftline.wire.primitives import (
    NULL,
    EncodedNames,
    EncodedTexts,
    encode_entries,
    encode_long,
    pack_double,
)
from driftline.wire.reasons import Reason, ValueRefusedError
from driftline.wire.values import feature_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LARGEST_DENSE_INTEGER = 2**53


class FeatureRows:
    """Encodes the features of many rows.

    Columns in which every value is a number, or every value a string, are encoded row by row without a
    step in Python; the others value by value.

    Args:
        columns: values by feature, all of one length; names are not empty.

    Raises:
        ValueRefusedError: ``invalid_text``: a name holds a lone surrogate.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self._names = EncodedNames()
        self._categories = EncodedTexts()
        self._numeric: dict[str, Sequence[Any]] = {}
        self._categorical: dict[str, Sequence[Any]] = {}
        self._mixed: dict[str, Sequence[Any]] = {}
        for name, values in columns.items():
            self._names[name]  # Refuses here what can't be encoded.
            self._kind(values)[name] = values

    def _kind(self, values: Sequence[Any]) -> dict[str, Sequence[Any]]:
        types = set(map(type, values))
        if types in ({float}, {bool}):
            return self._numeric
        if types == {int} and -_LARGEST_DENSE_INTEGER <= min(values) <= max(values) <= _LARGEST_DENSE_INTEGER:
            return self._numeric
        if types == {str} and _is_encodable(values):
            return self._categorical
        return self._mixed

    def encode(self, first: int, end: int) -> list[bytes | ValueRefusedError]:
        """Return numeric_features, categorical_features and missing_features of rows [first, end).

        Where a value does not fit the wire there stands the error instead, which names the feature.
        """
        if not self._mixed:
            numeric = self._plain_numbers(first, end, encode_long(len(self._numeric)), NULL)
            texts = self._plain_texts(first, end, encode_long(len(self._categorical)), NULL)
            return [number + text + NULL for number, text in zip(numeric, texts, strict=True)]
        rows = zip(
            self._plain_numbers(first, end, b"", b""),
            self._plain_texts(first, end, b"", b""),
            zip(*(values[first:end] for values in self._mixed.values()), strict=True),
            strict=True,
        )
        return [self._mixed_row(*row) for row in rows]

    def _plain_numbers(self, first: int, end: int, head: bytes, tail: bytes) -> Iterator[bytes]:
        """Return, per row, the entries of the numeric columns between head and tail."""
        if not self._numeric:
            return repeat(NULL if tail else b"", end - first)
        layout = [f"<{len(head)}s"]
        parts: list[Any] = [repeat(head, end - first)]
        for name, values in self._numeric.items():
            encoded = self._names[name]
            layout.append(f"{len(encoded)}sd")
            parts += [repeat(encoded), values[first:end]]
        pack = Struct("".join(layout) + f"{len(tail)}s").pack
        return starmap(pack, zip(*parts, repeat(tail), strict=False))

    def _plain_texts(self, first: int, end: int, head: bytes, tail: bytes) -> Iterator[bytes]:
        """Return, per row, the entries of the categorical columns between head and tail."""
        if not self._categorical:
            return repeat(NULL if tail else b"", end - first)
        parts: list[Any] = [repeat(head, end - first)]
        for name, values in self._categorical.items():
            parts += [repeat(self._names[name]), map(self._categories.__getitem__, values[first:end])]
        return map(b"".join, zip(*parts, repeat(tail), strict=False))

    def _mixed_row(self, numbers: bytes, texts: bytes, values: tuple[Any, ...]) -> bytes | ValueRefusedError:
        numeric, categorical, missing = [numbers], [texts], [b""]
        for name, given in zip(self._mixed, values, strict=True):
            try:
                value = given if type(given) is float else feature_value(given)
                if value is None:
                    missing.append(self._names[name])
                elif isinstance(value, str):
                    categorical.append(self._names[name] + self._categories[value])
                else:
                    numeric.append(self._names[name] + pack_double(value))
            except ValueRefusedError as error:
                return ValueRefusedError(error.reason, f"{name!r}: {error.detail}")
            except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
                return ValueRefusedError(Reason.INTERNAL_ERROR, f"{name!r}: a {type(error).__name__}")
        return b"".join(
            (
                encode_entries(len(self._numeric) + len(numeric) - 1, b"".join(numeric)),
                encode_entries(len(self._categorical) + len(categorical) - 1, b"".join(categorical)),
                encode_entries(len(missing) - 1, b"".join(missing)),
            )
        )


def _is_encodable(texts: Sequence[str]) -> bool:
    """Say whether all strings can be encoded; those that can't are refused one by one."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
