"""Records that can't be landed: reported, and bounded, lest a broken lander dead-letter everything."""

from __future__ import annotations

import logging
import uuid
from collections import deque
from typing import TYPE_CHECKING

from driftline.errors import DeadLetterLimitError, WireError
from driftline.log import Record
from driftline.wire import DEAD_LETTER, DEAD_LETTERS_TOPIC, decode_record, encode_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.lander.insert import DeadLetter

_logger = logging.getLogger(__name__)

LIMIT_SHARE = 0.5
LIMIT_AT_LEAST = 1_000
LIMIT_WINDOW_S = 600.0
MAX_VALUE_BYTES = 900_000
"""Of a refused record, so many bytes are kept: a dead letter must fit where the record just fitted."""

_REPORTED = 3
_IDENTITY = ("event_id", "trace_id", "model_name", "model_version")


class DeadLetterLimit:
    """Says when so many records are refused that the fault is ours and not theirs.

    Args:
        share: of the records of the last ``LIMIT_WINDOW_S``, at most so many may be refused; 1: no limit.
        monotonic: a clock in seconds.
    """

    def __init__(self, share: float, monotonic: Callable[[], float]) -> None:
        self._share = share
        self._monotonic = monotonic
        self._seen: deque[tuple[float, int, int]] = deque()

    def allowed(self, records: int) -> int:
        """Return how many of the next records may be refused."""
        now = self._monotonic()
        while self._seen and self._seen[0][0] < now - LIMIT_WINDOW_S:
            self._seen.popleft()
        total = sum(count for _, count, _ in self._seen) + records
        refused = sum(count for _, _, count in self._seen)
        return max(LIMIT_AT_LEAST, int(self._share * total)) - refused

    def check(self, records: int, dead_letters: Sequence[DeadLetter]) -> None:
        """Refuse to go on when a batch has more dead letters than allowed.

        Raises:
            DeadLetterLimitError: it has. None of it was dead-lettered, and its range will be repeated.
        """
        if dead_letters and self._share < 1 and len(dead_letters) > self.allowed(records):
            first = dead_letters[0]
            raise DeadLetterLimitError(
                f"{len(dead_letters):,} of {records:,} of {first.topic}/{first.partition} are refused, "
                f"the first ({first.reason}) at offset {first.offset}: {first.detail}. That is more than "
                f"{self._share:.0%} in {LIMIT_WINDOW_S / 60:.0f} minutes, so it stops, and dead-letters "
                "none. Mend the cause and start it again, or let them pass with --dead-letter-limit 1"
            )

    def count(self, records: int, refused: int) -> None:
        """Remember what became of a batch."""
        self._seen.append((self._monotonic(), records, refused))


def dead_letter_record(dead_letter: DeadLetter, time_us: int) -> Record:
    """Return a dead letter as a record of its topic."""
    session_id, sequence = _origin(dead_letter)
    detail = dead_letter.detail
    if len(dead_letter.value) > MAX_VALUE_BYTES:
        detail += f" (the first {MAX_VALUE_BYTES:,} of {len(dead_letter.value):,} bytes are kept)"
    event = {
        "log_id": dead_letter.log_id,
        "topic": dead_letter.topic,
        "partition": dead_letter.partition,
        "offset": dead_letter.offset,
        "reason": dead_letter.reason,
        "detail": detail,
        "session_id": session_id,
        "sequence": sequence,
        "refused_time": time_us,
        "value": dead_letter.value[:MAX_VALUE_BYTES],
    }
    return Record(DEAD_LETTERS_TOPIC, dead_letter.key, encode_record(DEAD_LETTER, event))


def report_dead_letters(dead_letters: Sequence[DeadLetter]) -> None:
    """Say of the first of them why they were refused; they hold no values of events."""
    for dead_letter in dead_letters[:_REPORTED]:
        where = f"{dead_letter.topic}/{dead_letter.partition}@{dead_letter.offset}"
        context = _place(dead_letter) | {"reason": dead_letter.reason, **_identity(dead_letter)}
        _logger.warning(
            "dead letter %s: %s: %s", where, dead_letter.reason, dead_letter.detail, extra=context
        )
    if len(dead_letters) > _REPORTED:
        more = len(dead_letters) - _REPORTED
        _logger.warning(
            "dead letters: %d more in the same batch", more, extra=_place(dead_letters[_REPORTED])
        )


def _place(dead_letter: DeadLetter) -> dict[str, object]:
    return {"topic": dead_letter.topic, "partition": dead_letter.partition, "offset": dead_letter.offset}


def _identity(dead_letter: DeadLetter) -> Mapping[str, object]:
    """Return who sent a refused record, and what it is about, as far as it tells."""
    session_id, sequence = _origin(dead_letter)
    try:
        event = decode_record(dead_letter.value)[1]
    except WireError:
        event = {}
    known = {name: str(event[name]) for name in _IDENTITY if event.get(name)}
    return {"session_id": session_id, "sequence": sequence, **known} if session_id else known


def _origin(dead_letter: DeadLetter) -> tuple[str, int]:
    """Return the session and the number of a refused record, as far as it tells."""
    try:
        event = decode_record(dead_letter.value)[1]
        return str(event["session_id"]), max(0, int(event["sequence"]))
    except (WireError, KeyError):
        pass
    try:
        return str(uuid.UUID(dead_letter.key.decode())), 0
    except ValueError:
        return "", 0
