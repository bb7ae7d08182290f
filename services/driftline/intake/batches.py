"""A batch of items as records, the same ones however often it is sent.

The lander takes records that say so of themselves for repeats of what has landed, by event id, session and
sequence. So each batch is a session of its own for each stream in it: its id is made of the batch's key, its
numbers of the items' order, and an event's id of the sender's own, or of its place. Nothing of it is kept
here, so that any of several intakes may get the repetition.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from driftline.errors import WireError
from driftline.intake.items import NAMESPACE, NO_VERSION, Item, Kind, Refusal, Stream, read_item
from driftline.log import Record
from driftline.sdk.runtime import package_version
from driftline.wire import (
    OUTCOMES_TOPIC,
    PREDICTIONS_TOPIC,
    SESSION,
    SESSIONS_TOPIC,
    EventEncoder,
    Remark,
    SessionFields,
    close_record,
    encode_record,
)
from driftline.wire.values import event_time_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a batch came to.

    Args:
        records: to be appended, heartbeats last.
        event_ids: of the predictions that were taken, by their place.
        refusals: of the items that were not.
        counts: items that were taken, by their kind.
        left_out: values that no event can hold, by the name of the feature or argument.
    """

    records: Sequence[Record]
    event_ids: Mapping[int, str]
    refusals: Sequence[Refusal]
    counts: Mapping[str, int]
    left_out: Mapping[str, int]


@dataclass(slots=True)
class _Session:
    """What one stream of a batch comes to."""

    stream: Stream
    session_id: str
    encoder: EventEncoder
    remarks: Mapping[Remark, Counter[str]]
    sequences: Counter[str] = field(default_factory=Counter)
    dropped: Mapping[Kind, Counter[str]] = field(
        default_factory=lambda: {"predictions": Counter(), "outcomes": Counter()}
    )


def encode_batch(
    key: str,
    lists: Mapping[Kind, Sequence[Any]],
    defaults: Mapping[str, Any],
    *,
    clock: Callable[[], float],
    random: Callable[[int], int],
) -> Encoded:
    """Return a batch as records.

    Args:
        key: names the batch among all others; whoever repeats it names it so again.
        lists: predictions and outcomes, as they were sent.
        defaults: what holds for all of them.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: a source of random bits.
    """
    encoder = _BatchEncoder(key, clock(), random)
    for kind, items in lists.items():
        for place, given in enumerate(items):
            encoder.take(read_item(kind, place, given, defaults))
    return encoder.encoded()


class _BatchEncoder:
    def __init__(self, key: str, now_s: float, random: Callable[[int], int]) -> None:
        self._key = key
        self._now_s = now_s
        self._random = random
        self._sessions: dict[Stream, _Session] = {}
        self._records: list[Record] = []
        self._event_ids: dict[int, str] = {}
        self._seen: set[str] = set()
        self._refusals: list[Refusal] = []

    def take(self, item: Item | Refusal) -> None:
        """Take an item, or note that it is none."""
        if isinstance(item, Item):
            try:
                self._encode(item)
            except WireError as error:
                item = Refusal(item.kind, item.place, str(error.reason), error.detail, item.stream)
            else:
                return
        self._refusals.append(item)
        if item.stream is not None:
            self._session(item.stream).dropped[item.kind][item.reason] += 1

    def _encode(self, item: Item) -> None:
        """Encode an item.

        Raises:
            WireError: it can't be encoded.
        """
        session = self._session(item.stream)
        if item.kind == "predictions":
            event_id = item.event_id or str(uuid5(UUID(session.session_id), str(item.place)))
            if event_id in self._seen:
                raise WireError("repeated_id", "another prediction of this batch has this id")
            _, record = self._prediction(session, item, event_id)
            self._seen.add(event_id)
            self._event_ids[item.place] = event_id
            topic = PREDICTIONS_TOPIC
        else:
            record, topic = self._outcome(session, item), OUTCOMES_TOPIC
        session.sequences[item.kind] += 1
        value = close_record(record, session.sequences[item.kind])
        self._records.append(Record(topic, session.session_id.encode(), value, may_repeat=True))

    def _prediction(self, session: _Session, item: Item, event_id: str) -> tuple[str, tuple[bytes, bytes]]:
        given = item.fields
        return session.encoder.prediction(
            self._now_s,
            given.get("features"),
            given.get("prediction"),
            given.get("label"),
            given.get("probabilities"),
            given.get("entity_id"),
            given.get("request_id"),
            given.get("trace_id"),
            given.get("tags"),
            given["event_time"],
            given.get("latency_us"),
            given.get("compute_us"),
            event_id,
            given.get("outputs"),
            given.get("classes"),
        )

    def _outcome(self, session: _Session, item: Item) -> tuple[bytes, bytes]:
        given = item.fields
        logged = event_time_us(given.get("logged_time"))
        return session.encoder.outcome(
            event_id=item.event_id,
            time_us=session.encoder.micros("observed_time", given.get("observed_time"), self._now_s),
            actual=given.get("actual"),
            now_s=self._now_s if logged is None else logged / 1e6,
            revision=given.get("revision"),
            acted_on=given.get("acted_on"),
        )

    def _session(self, stream: Stream) -> _Session:
        session = self._sessions.get(stream)
        if session is None:
            parts = (self._key, *_parts(stream))
            session_id = str(uuid5(NAMESPACE, "\0".join(parts)))
            remarks: Mapping[Remark, Counter[str]] = {remark: Counter() for remark in Remark}
            fields = SessionFields(session_id, *_parts(stream), default_tags={})
            encoder = EventEncoder(
                fields, self._random, remarks=lambda remark, name, _: remarks[remark].update([name])
            )
            session = self._sessions[stream] = _Session(stream, session_id, encoder, remarks)
        return session

    def encoded(self) -> Encoded:
        """Return what all of it came to."""
        counts: Counter[str] = Counter()
        left_out: Counter[str] = Counter()
        for session in self._sessions.values():
            counts.update(session.sequences)
            left_out.update(session.remarks[Remark.UNENCODABLE])
        named = [one for one in self._sessions.values() if one.stream.model_version != NO_VERSION]
        heartbeats = [self._heartbeat(session) for session in named]
        return Encoded([*self._records, *heartbeats], self._event_ids, self._refusals, counts, left_out)

    def _heartbeat(self, session: _Session) -> Record:
        stream, remarks = session.stream, session.remarks
        heartbeat = {
            "session_id": session.session_id,
            "beat_time": int(self._now_s * 1e6),
            "model_name": stream.model_name,
            "model_version": stream.model_version,
            "environment": stream.environment,
            "last_sequence": session.sequences["predictions"],
            "last_outcome_sequence": session.sequences["outcomes"],
            "dropped": dict(session.dropped["predictions"]),
            "dropped_outcomes": dict(session.dropped["outcomes"]),
            "unencodable": dict(remarks[Remark.UNENCODABLE]),
            "rounded": dict(remarks[Remark.ROUNDED]),
            "final": True,
            "client": f"driftline-intake/{package_version('driftline') or 'unknown'}",
        }
        return Record(SESSIONS_TOPIC, session.session_id.encode(), encode_record(SESSION, heartbeat))


def _parts(stream: Stream) -> tuple[str, str, str, str]:
    return stream.model_name, stream.model_version, stream.training_run_id, stream.environment
