"""Which hours are to be derived, and when: closed ones at once, open ones at a pace set by what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from driftline.domain.streams import HourKey, Stream
    from driftline.store.hours import Pointer

OPEN_GAP_S = 60.0
"""An open hour is derived again after so long, or later where that is dear."""

LONGEST_GAP_S = 1200.0
"""But no later than this, whatever it costs."""

CLOSED_GAP_S = 1.0
COST_SHARE = 0.1
"""Of a core, deriving the same hour again and again takes at most this share."""


@dataclass(slots=True)
class DirtyHours:
    """Hours that may have to be derived, with what is known of each. For one thread.

    Attributes:
        pointers: of the hours, as far as they were derived before.
    """

    pointers: dict[HourKey, Pointer | None] = field(default_factory=dict)
    _newest: dict[Stream, int] = field(default_factory=dict)
    _derived_open: set[HourKey] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.pointers)

    def add(self, hours: Iterable[HourKey], pointers: Mapping[HourKey, Pointer]) -> None:
        """Take in hours that may be dirty."""
        for each in hours:
            self.pointers[each] = pointers.get(each)

    def see(self, hours: Iterable[HourKey]) -> None:
        """Note which hours have rows: the newest of each stream is open."""
        for each in hours:
            if each.hour > self._newest.get(each.stream, -1):
                self._newest[each.stream] = each.hour

    def is_open(self, hour: HourKey) -> bool:
        """Return whether no later hour of the stream has a row yet."""
        return hour.hour >= self._newest.get(hour.stream, -1)

    def due(self, now: datetime) -> Sequence[HourKey]:
        """Return the hours whose turn it is, the newest first.

        Args:
            now: by the store's clock.
        """
        due = [each for each, pointer in self.pointers.items() if self._is_due(each, pointer, now)]
        return sorted(due, key=lambda each: (-each.hour, each.stream))

    def _is_due(self, hour: HourKey, pointer: Pointer | None, now: datetime) -> bool:
        if pointer is None:
            return True
        is_open = self.is_open(hour)
        if hour in self._derived_open and not is_open:
            return True  # It has closed since.
        gap_s = min(pointer.seconds / COST_SHARE, LONGEST_GAP_S)
        gap_s = max(OPEN_GAP_S if is_open else CLOSED_GAP_S, gap_s)
        return (now - pointer.began).total_seconds() >= gap_s

    def settle(self, hours: Iterable[HourKey]) -> None:
        """Forget hours that are not dirty."""
        for each in hours:
            self.pointers.pop(each, None)
            self._derived_open.discard(each)

    def note_derived(self, pointers: Mapping[HourKey, Pointer]) -> None:
        """Note that hours were derived just now. Rows that were under way then may still come."""
        for each, pointer in pointers.items():
            self.pointers[each] = pointer
            if self.is_open(each):
                self._derived_open.add(each)
            else:
                self._derived_open.discard(each)

    def settle_by_time(self, landed: Mapping[HourKey, datetime]) -> None:
        """Forget hours whose derivation began long enough after their last row landed."""
        self.settle(
            [
                each
                for each, landed_at in landed.items()
                if (pointer := self.pointers.get(each)) is not None and pointer.surely_holds(landed_at)
            ]
        )

    def derived_until(self, known: datetime, looked_at: datetime) -> datetime:
        """Return up to when everything that landed is derived.

        Args:
            known: up to when it was before.
            looked_at: when it was looked last what had landed.
        """
        if any(pointer is None for pointer in self.pointers.values()):
            return known
        began = [pointer.began for pointer in self.pointers.values() if pointer is not None]
        return max(known, min([looked_at, *began]))
