"""Dead letters in the store: what could not be landed, and what became of it since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from driftline.store.connection import Connection

_SESSIONS = "SELECT session_id FROM sessions WHERE model_name = {model:String}"
_COLUMNS = (
    "log_id, topic, partition, offset, reason, detail, session_id, sequence, refused_time, value, revision, "
    "replayed_at"
)


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """One dead letter.

    Args:
        log_id: identity of the log that numbered the offset.
        topic: the topic that the record stood in.
        partition: its partition.
        offset: its offset.
        reason: why it was refused: one of a bounded set of names.
        detail: what exactly was wrong, the last time that it was tried.
        session_id: the session that sent it; empty when not known.
        sequence: its number there; 0 when not known.
        refused_time: when it was refused first.
        value: the record's bytes.
        revision: how often it was tried again.
        replayed_at: when it was landed after all; None: not until now.
    """

    log_id: str
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    session_id: str
    sequence: int
    refused_time: datetime
    value: bytes
    revision: int
    replayed_at: datetime | None

    @property
    def place(self) -> str:
        """Where it stood, as ``TOPIC/PARTITION@OFFSET``."""
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters are meant; what is None does not matter.

    Args:
        topic: that the record stood in.
        partition: its partition.
        offset: its offset.
        reason: why it was refused.
        waiting: only those that have not been landed since.
        model_name: of the session that sent it, where that is known.
        since: refused after this time.
    """

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    reason: str | None = None
    waiting: bool = True
    model_name: str | None = None
    since: datetime | None = None


def read_dead_letters(
    connection: Connection, chosen: DeadLetterFilter, *, limit: int
) -> Sequence[StoredDeadLetter]:
    """Return dead letters, those refused last first."""
    wanted = {
        "topic = {topic:String}": chosen.topic,
        "partition = {partition:UInt32}": chosen.partition,
        "offset = {offset:UInt64}": chosen.offset,
        "reason = {reason:String}": chosen.reason,
        "replayed_at IS NULL": True if chosen.waiting else None,
        f"session_id IN ({_SESSIONS})": chosen.model_name,
        "refused_time > fromUnixTimestamp64Micro({since_us:Int64}, 'UTC')": chosen.since,
    }
    conditions = [condition for condition, value in wanted.items() if value is not None] or ["1"]
    bound = {
        "topic": chosen.topic or "",
        "partition": chosen.partition or 0,
        "offset": chosen.offset or 0,
        "reason": chosen.reason or "",
        "model": chosen.model_name or "",
        "since_us": int(chosen.since.timestamp() * 1e6) if chosen.since else 0,
        "limit": limit,
    }
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM dead_letters FINAL WHERE {' AND '.join(conditions)} "
        "ORDER BY refused_time DESC, topic, partition, offset LIMIT {limit:UInt64}",
        parameters=bound,
        formats={"value": "bytes"},
    )
    return [StoredDeadLetter(*row) for row in rows]


def write_dead_letter(connection: Connection, dead_letter: StoredDeadLetter) -> None:
    """Write a later state of a dead letter. Its revision must have grown."""
    names = _COLUMNS.split(", ")
    connection.insert("dead_letters", [[getattr(dead_letter, name) for name in names]], column_names=names)
