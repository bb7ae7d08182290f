"""Dead letters sent through again, once the cause was mended: each lands once, however often it is tried."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from driftline.errors import StoreError
from driftline.lander.repeats import find_repeats
from driftline.lander.service import make_inserters
from driftline.log import Batch
from driftline.log.schemas import WriterSchemas
from driftline.store import ready_connection
from driftline.store.dead_letters import read_dead_letters, write_dead_letter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from driftline.lander.insert import Inserter
    from driftline.log import EventLog
    from driftline.store import Store
    from driftline.store.dead_letters import DeadLetterFilter, StoredDeadLetter


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of dead letters that were sent through again.

    Args:
        landed: stand in the store now.
        refused: are refused still, and stay dead letters.
    """

    landed: int
    refused: int


def replay_dead_letters(
    log: EventLog,
    store: Store,
    chosen: DeadLetterFilter,
    *,
    limit: int,
    clock: Callable[[], float] = time.time,
) -> Replayed:
    """Land dead letters that have not landed since. Blocks for the store, some 30 ms a dead letter.

    A dead letter lands with its own place in the log, by which the store is asked first: interrupted between
    landing and noting that, it does not land again. Nor does one whose prediction has landed from elsewhere:
    of two copies of a record both may have been refused.

    Raises:
        StoreError: the store is away. What was landed until then is noted.
        LogError: the schema registry is away.
    """
    with ready_connection(store) as connection:
        schema_of = WriterSchemas(log)
        inserters = make_inserters(connection, store.database, schema_of)
        landed = refused = 0
        for dead_letter in read_dead_letters(
            connection, dataclasses.replace(chosen, waiting=True), limit=limit
        ):
            batch = _alone(dead_letter)
            repeats = find_repeats(connection, batch, schema_of)
            now = _again(inserters, dead_letter, batch, repeats, datetime.fromtimestamp(clock(), UTC))
            write_dead_letter(connection, now)
            landed += now.replayed_at is not None
            refused += now.replayed_at is None
        return Replayed(landed, refused)


def _again(
    inserters: Mapping[str, Inserter],
    dead_letter: StoredDeadLetter,
    batch: Batch,
    repeats: Collection[int],
    now: datetime,
) -> StoredDeadLetter:
    """Land one dead letter; return its new state."""
    later = dataclasses.replace(dead_letter, revision=dead_letter.revision + 1)
    inserter = inserters.get(dead_letter.topic)
    if inserter is None:
        raise StoreError(f"{dead_letter.place}: nothing of the topic {dead_letter.topic!r} is landed")
    landing = inserter.land(batch, repeats=repeats)
    if landing.dead_letters:
        (refusal,) = landing.dead_letters
        return dataclasses.replace(later, reason=refusal.reason, detail=refusal.detail)
    return dataclasses.replace(later, replayed_at=now)


def _alone(dead_letter: StoredDeadLetter) -> Batch:
    """Return a dead letter as the batch that it was when it had been bisected out."""
    return Batch(
        source=dead_letter.log_id,
        topic=dead_letter.topic,
        partition=dead_letter.partition,
        first_offset=dead_letter.offset,
        last_offset=dead_letter.offset,
        values=[dead_letter.value],
        keys=[dead_letter.session_id.encode()],
        offsets=[dead_letter.offset],
        timestamps_ms=[int(dead_letter.refused_time.timestamp() * 1000)],
        may_repeat=frozenset({0}),
        repeated=True,
    )
