"""Keys of categorical values: hashes, also of those that an hour does not name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from driftline.profiles import HASH_PLACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.profiles import CategoricalCounts

KEY_BITS = 48
"""Keys of one feature lie in [0, 2**48): a bucket, shifted to be positive, or the hash of a value."""

FOLDED = (1 << KEY_BITS) - 1
"""The key of a category's values that an hour does not name, since there were too many different ones."""

FOLDED_AT = FOLDED - HASH_PLACES
"""From here on the keys of those of which the place of their hash is known; values have lower ones."""


class Vocabulary:
    """The keys of categorical values, and back.

    A key is a hash, not a running number, so that it does not depend on what was seen before: a judge
    that is rebuilt after a restart computes the very same numbers.
    """

    def __init__(self) -> None:
        self._keys: dict[str, int] = {}
        self._values: dict[int, str] = {}

    def key(self, value: str) -> int:
        """Return the key of a value, and remember the value behind it."""
        key = self._keys.get(value)
        if key is None:
            digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
            key = min(int.from_bytes(digest[: KEY_BITS // 8], "big"), FOLDED_AT - 1)
            self._keys[value] = key
            self._values[key] = value
        return key

    def keys(self, values: Iterable[str]) -> list[int]:
        """Return the keys of values, in their order, and remember the values behind them."""
        known = self._keys.get
        return [known(value) or self.key(value) for value in values]

    def value(self, key: int) -> str:
        """Return the value behind a key that `key` gave."""
        return self._values[key]

    def keep(self, keys: Iterable[int]) -> None:
        """Forget all values but these, so that identifiers logged as a category do not pile up."""
        self._values = {key: self._values[key] for key in keys if key in self._values}
        self._keys = {value: key for key, value in self._values.items()}

    def __len__(self) -> int:
        return len(self._keys)


def folded_by_place(values: CategoricalCounts, named: Sequence[int], counts: Sequence[int]) -> dict[int, int]:
    """Return how many values are not named, by the key of their place; by one key where that is unknown.

    Args:
        values: of which some are folded.
        named: the keys of those that are not.
        counts: how often each of these.
    """
    if len(values.hashed) != HASH_PLACES:
        return {FOLDED: values.folded}
    places = np.array(named, dtype=np.int64) % HASH_PLACES
    rest = np.array(values.hashed) - np.bincount(places, counts, HASH_PLACES)
    return {FOLDED_AT + place: round(rest[place]) for place in np.flatnonzero(rest > 0).tolist()}
