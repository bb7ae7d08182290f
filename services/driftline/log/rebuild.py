"""A damaged log is made anew from what can be read of it: the same identity, offsets and positions.

So nothing lands twice, and a record that is lost leaves a gap in the offsets, which its readers count.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from driftline.log.pages import PAGE_BYTES
from driftline.log.rows import SCHEMA, checksum, make_topic, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from driftline.log.pages import Pages
    from driftline.log.rows import StoredRow

_AT_ONCE = 1_000
_identity = re.compile(r"[0-9a-f]{32}").fullmatch
_topic = re.compile(r"[a-z][a-z0-9._-]{0,248}").fullmatch


class Position(NamedTuple):
    """Where a group is in a topic, and which range it intends."""

    position: int
    intent_first: int | None
    intent_last: int | None


@dataclass(slots=True)
class _State:
    """What a damaged log says of itself, besides its records.

    Args:
        source: its identity.
        says_ends: whether it says where its topics end.
        ends: the offset that the next record gets, by topic.
        positions: by group and topic.
    """

    source: str | None = None
    says_ends: bool = False
    ends: dict[str, int] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)

    def first_needed(self, topic: str) -> int:
        """Return the first offset that some group has still to read; 0 where no group is known."""
        return min(
            (place.position for (_, name), place in self.positions.items() if name == topic), default=0
        )

    def end(self, topic: str) -> int:
        """Return an offset behind all that anybody has seen of a topic."""
        places = [place for (_, name), place in self.positions.items() if name == topic]
        seen = [self.ends.get(topic, 0), *(place.position for place in places)]
        return max(seen + [place.intent_last + 1 for place in places if place.intent_last is not None])


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of a damaged log.

    Args:
        source: identity of the new file.
        records: how many records it holds.
        lost: how many are known to be lost, of those that nobody has read.
    """

    source: str
    records: int
    lost: int


def rebuild(pages: Pages, fresh: Path, known_source: str | None) -> Rebuilt:
    """Write into a new file what can be read of a damaged log and is still needed. Blocks, some seconds a GB.

    Args:
        pages: of the damaged log.
        fresh: the new file; another one there is removed.
        known_source: identity of the log, should it say none itself.

    Raises:
        sqlite3.Error: the new file can't be written.
        OSError: the damaged one can't be read.
    """
    fresh.unlink(missing_ok=True)
    state = _read_state(pages)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        for topic in state.ends:
            make_topic(connection, topic)
        for topic, rows in _grouped(pages, state):
            insertion = f"INSERT OR IGNORE INTO {quoted(topic)} VALUES (?, ?, ?, ?, ?)"
            connection.executemany(insertion, rows)
        counted = _finish(connection, state)
        # Where nothing is left, offsets begin anew: under the old identity they would mean other records.
        is_left = state.says_ends or counted.total() > 0
        source = (is_left and (state.source or known_source)) or uuid4().hex
        connection.execute('INSERT INTO "log/identity" VALUES (?)', (source,))
        connection.execute("COMMIT")
    lost = sum(state.ends[topic] - state.first_needed(topic) - count for topic, count in counted.items())
    return Rebuilt(source, counted.total(), lost)


def _read_state(pages: Pages) -> _State:
    state = _State()
    for rowid, columns in pages.rows():
        match columns:
            case [str(source)] if rowid is not None and _identity(source):
                state.source = source
            case ["table", str(topic), str(), int(), str()] if _topic(topic):
                state.ends.setdefault(topic, 0)
            case [str(topic), int(end)] if rowid is None and _topic(topic):
                state.ends[topic], state.says_ends = max(end, state.ends.get(topic, 0)), True
            case [str(group), str(topic), int(at), int() | None as first, int() | None as last] if (
                rowid is None and _topic(topic)
            ):
                state.positions[group, topic] = Position(at, first, last)
                state.ends.setdefault(topic, 0)
    return state


def _grouped(pages: Pages, state: _State) -> Iterator[tuple[str, Sequence[StoredRow]]]:
    """Yield records that somebody has still to read, some of one topic at a time, some of them repeatedly."""
    needed = {topic: state.first_needed(topic) for topic in state.ends}
    rows = _stored(pages)
    while some := list(islice(rows, _AT_ONCE)):
        of_topic: dict[str, list[StoredRow]] = {}
        for row in some:
            topic = next((name for name in needed if checksum(name, row[0], row[2], row[3]) == row[4]), None)
            if topic is not None and row[0] >= needed[topic]:
                of_topic.setdefault(topic, []).append(row)
        yield from of_topic.items()


def _stored(pages: Pages) -> Iterator[StoredRow]:
    for rowid, columns in pages.rows():
        match columns:
            case [None, int(time_ms), bytes(key), bytes(value), int(checksum)] if (
                rowid is not None and rowid >= 0
            ):
                yield rowid, time_ms, key, value, checksum


def _finish(connection: sqlite3.Connection, state: _State) -> Counter[str]:
    """Write ends and positions; return how many records each topic has."""
    counted = Counter[str]()
    for topic in state.ends:
        count, last = connection.execute(f"SELECT count(*), max(offset) FROM {quoted(topic)}").fetchone()
        counted[topic] = count
        state.ends[topic] = max(state.end(topic), -1 if last is None else last + 1)
        connection.execute(
            'UPDATE "log/topics" SET next_offset = ? WHERE topic = ?', (state.ends[topic], topic)
        )
    connection.executemany(
        'INSERT INTO "log/positions" VALUES (?, ?, ?, ?, ?)',
        [(*names, *place) for names, place in state.positions.items()],
    )
    return counted
