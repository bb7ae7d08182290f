"""What every online back end does: it holds the newest row of each entity, and no older one ever again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class ViewKey(NamedTuple):
    """A view's rows that were made by one computation."""

    view: str
    computation: str


class OnlineRow(NamedTuple):
    """The newest row of one entity. Times are microseconds since 1970.

    Args:
        entity: what the values are about.
        event_us: when they came true.
        arrival: orders rows of one event time.
        numbers: of the view's numeric features, in the order of its definition.
        texts: of its categorical features, likewise.
    """

    entity: str
    event_us: int
    arrival: int
    numbers: Sequence[float | None]
    texts: Sequence[str | None]


class Progress(NamedTuple):
    """How far a view is materialized.

    Args:
        arrival: rows up to here are in.
        until_us: as of when: rows whose time had come by then, microseconds since 1970.
        counted: how many rows had arrived up to there. Where there are more now, some came late.
    """

    arrival: int = 0
    until_us: int = 0
    counted: int = 0


class OnlineStore(Protocol):
    """Holds the newest row of each entity. One suite of tests holds every back end to this.

    Every method raises OnlineError where the back end can't be used. For one thread.
    """

    def put(self, key: ViewKey, rows: Sequence[OnlineRow]) -> None:
        """Take rows. One that is no newer than what is there, by event time and arrival, changes nothing."""

    def get(self, key: ViewKey, entities: Sequence[str]) -> Sequence[OnlineRow | None]:
        """Return the row of each entity, in this order; None: there is none."""

    def progress(self, key: ViewKey) -> Progress:
        """Return how far a view is materialized; all zero: not at all."""

    def set_progress(self, key: ViewKey, progress: Progress) -> None:
        """Keep how far a view is materialized, once its rows are in."""

    def close(self) -> None:
        """Let go of it."""


def pack(row: OnlineRow) -> str:
    """Return the values of a row as text. Every double comes back as it was, also NaN and the infinities."""
    return json.dumps([row.numbers, row.texts], ensure_ascii=False, separators=(",", ":"))


def unpack(entity: str, event_us: int, arrival: int, packed: str | bytes) -> OnlineRow:
    """Return a row from what `pack` returned."""
    numbers, texts = json.loads(packed)
    return OnlineRow(entity, event_us, arrival, numbers, texts)
