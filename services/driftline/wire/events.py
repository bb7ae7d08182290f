"""Predictions and outcomes of one logging session, from the user's values to records."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from driftline.wire.bounds import MAX_EVENT_BYTES
from driftline.wire.codec import event_header
from driftline.wire.identifiers import Ids
from driftline.wire.layouts import FeatureEncoder
from driftline.wire.named import NamedValues
from driftline.wire.outputs import NO_OUTPUTS, NO_TRUTHS, OutputEncoder
from driftline.wire.primitives import (
    NULL,
    SOME,
    Times,
    encode_entries,
    encode_long,
    encode_text,
    encode_value_text,
    pack_double,
)
from driftline.wire.reasons import Reason, Remark, ValueRefusedError, no_remarks
from driftline.wire.schemas import OUTCOME, PREDICTION
from driftline.wire.shapes import SINGLE, by_class, is_several, one
from driftline.wire.values import (
    duration_us,
    event_id_text,
    event_time_us,
    feature_value,
    revision_number,
    trace_id_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from driftline.wire.reasons import Remarks

UUID_HEAD: Final = encode_long(36)
"""What stands before a UUID's text."""

_ID_AND_TIME_BYTES = 36 + 8
_TRUE, _FALSE = b"\x01", b"\x00"
_SURELY_SMALL = 500_000  # Names of a session take some kilobytes at most.
_MAX_TAG_SETS = 4_096
_MAX_CACHED_TAGS = 64


OpenRecord: TypeAlias = tuple[bytes, bytes]
"""What stands before a record's sequence number, and what behind it: it gets one when it is accepted."""


def close_record(record: OpenRecord, sequence: int) -> bytes:
    """Return the whole record."""
    return record[0] + encode_long(sequence) + record[1]


@dataclass(frozen=True, slots=True)
class SessionFields:
    """What all events of one logging session have in common. No text is empty.

    Args:
        session_id: a UUID.
        model_name: which model.
        model_version: which version of it.
        training_run_id: which run trained it.
        environment: production, shadow, canary, reference or a name of the user's own.
        default_tags: tags that each event has unless it says otherwise.
    """

    session_id: str
    model_name: str
    model_version: str
    training_run_id: str
    environment: str
    default_tags: Mapping[str, str]


class EventEncoder:
    """Encodes one session's predictions and outcomes. Safe to use from several threads.

    Args:
        fields: what the events have in common; texts that can be encoded.
        random: a source of random bits, as in ``Ids``.
        schema_ids: the events' ids in a schema registry, by name; without it, single-object encoding.
        remarks: called for each value that was left out or rounded.
        categorical: names of features that are categories, whatever the type of their values.

    Raises:
        ValueRefusedError: one of the fields' texts can't be encoded.
    """

    def __init__(
        self,
        fields: SessionFields,
        random: Callable[[int], int],
        schema_ids: Mapping[str, int] | None = None,
        remarks: Remarks = no_remarks,
        categorical: Collection[str] = (),
    ) -> None:
        registered = schema_ids or {}
        self.ids = Ids(random)
        self.named = NamedValues(remarks)
        self.features = FeatureEncoder(self.named, categorical=categorical).encode
        self.outputs = OutputEncoder(self.named)
        self._times = Times()
        self._default_tags = dict(fields.default_tags)
        self._tag_sets: dict[tuple[tuple[Any, Any], ...], bytes] = {}
        self._outcome_header = event_header(OUTCOME, registered.get(OUTCOME))
        model_name, session_id = encode_text(fields.model_name), encode_text(fields.session_id)
        version, run = encode_text(fields.model_version), encode_text(fields.training_run_id)
        self._outcome_session = model_name + session_id
        self.head = event_header(PREDICTION, registered.get(PREDICTION)) + UUID_HEAD
        """What stands before a prediction's event_id."""
        self.session = model_name + version + run + session_id
        """What stands between its event_time and its sequence."""
        self.environment = encode_text(fields.environment)
        """What stands behind its sequence, before entity_id."""
        self.no_tags = self.tag_set({})
        """The session's own tags."""

    def prediction(  # noqa: PLR0917 - called for each event: names would take a tenth of it.
        self,
        now_s: float,
        features: Any = None,
        prediction: Any = None,
        label: Any = None,
        probabilities: Any = None,
        entity_id: Any = None,
        request_id: Any = None,
        trace_id: Any = None,
        tags: Any = None,
        event_time: Any = None,
        latency_us: Any = None,
        compute_us: Any = None,
        event_id: Any = None,
        outputs: Any = None,
        classes: Any = None,
    ) -> tuple[str, OpenRecord]:
        """Return a PredictionEvent's event_id, and its record but for its sequence number.

        Args:
            now_s: the time now, seconds since 1970-01-01T00:00:00Z.
            features: value by name; a mapping or anything with ``items()``. None: no features.
            prediction: a number or a label, or an answer of several (``driftline.wire.shapes``).
            label: a label.
            probabilities: probability by class, or in the order of ``classes``.
            entity_id: text; so are request_id and trace_id.
            request_id: see there.
            trace_id: see there.
            tags: text by name, beside the session's, which they override.
            event_time: when it was made. None: now.
            latency_us: a duration; so is compute_us.
            compute_us: see there.
            event_id: a UUID. None: a new one.
            outputs: value by name, beside the prediction. None: none.
            classes: what probabilities without names are of. None: they are numbered.

        Raises:
            ValueRefusedError: ``too_large``.
        """
        several = None
        if outputs is not None or (type(prediction) not in SINGLE and is_several(prediction)):
            prediction, several = self.outputs.split(prediction, outputs)
        identity = self.ids.new(int(now_s * 1000)) if event_id is None else self.identity(event_id, now_s)
        micros = int(now_s * 1e6) if event_time is None else self.micros("event_time", event_time, now_s)
        parts = (
            self.environment,
            NULL if entity_id is None else self.text("entity_id", entity_id),
            NULL if request_id is None else self.text("request_id", request_id),
            NULL if trace_id is None else self.trace(trace_id),
            self.features(features),
            self.answer(prediction, label, probabilities, classes),
            self.no_tags if tags is None else self.tags(tags),
            NULL if latency_us is None else self.duration("latency_us", latency_us),
            NULL if compute_us is None else self.duration("compute_us", compute_us),
            NO_OUTPUTS if several is None else self.outputs.encode(several),
        )
        after = b"".join(parts)
        if len(after) > _SURELY_SMALL:
            check_size(len(self.head) + len(self.session) + _ID_AND_TIME_BYTES + len(after))
        return identity, (
            b"".join((self.head, identity.encode(), self._times.encode(micros), self.session)),
            after,
        )

    def outcome(
        self,
        *,
        event_id: Any,
        time_us: int,
        actual: Any,
        now_s: float,
        revision: Any = 0,
        acted_on: Any = None,
    ) -> OpenRecord:
        """Return an OutcomeEvent's record, but for its sequence number.

        Args:
            event_id: the prediction's UUID.
            time_us: when the truth became known, microseconds since 1970-01-01T00:00:00Z.
            actual: a number or a label, or several by name; None, NA and NaN: not known, which is enough
                where `acted_on` is.
            now_s: the time now, seconds since 1970-01-01T00:00:00Z.
            revision: a whole number from 0 on. None: 0.
            acted_on: whether somebody acted on the prediction. None: not given.

        Raises:
            ValueRefusedError: ``unencodable``, ``invalid_event_id``, ``invalid_revision``; there is neither a
                truth nor `acted_on`: ``missing_actual``.
        """
        actual, parts = self.outputs.truths(actual)
        truth = feature_value(actual)
        is_known = truth is not None and truth == truth  # noqa: PLR0124 - NaN says that nobody knows yet.
        if not is_known and parts == NO_TRUTHS and acted_on is None:
            raise ValueRefusedError(Reason.MISSING_ACTUAL, "an outcome needs a number or a label")
        before = b"".join(
            (
                self._outcome_header,
                encode_text(event_id_text(event_id)),
                encode_long(time_us),
                self._outcome_session,
            )
        )
        behind = (
            SOME
            + encode_long(int(now_s * 1e6))
            + encode_long(revision_number(revision))
            + (NULL if acted_on is None else SOME + (_TRUE if acted_on else _FALSE))
            + parts
        )
        if truth is None or not is_known:
            return before, NULL * 2 + behind
        if isinstance(truth, str):
            return before, NULL + SOME + encode_value_text(truth) + behind
        return before, SOME + self.named.double("actual", truth) + NULL + behind

    def identity(self, event_id: Any, now_s: float) -> str:
        """Return a user's event_id; a new one in place of what is missing, or no UUID."""
        if event_id is None:
            return self.ids.new(int(now_s * 1000))
        return self.named.taken(event_id_text, "event_id", event_id) or self.ids.new(int(now_s * 1000))

    def time(self, event_time: Any, now_s: float) -> bytes:
        """Return a user's time; now, in place of what is missing, or no time."""
        return self._times.encode(self.micros("event_time", event_time, now_s))

    def micros(self, name: str, time: Any, now_s: float) -> int:
        """Return a user's time, microseconds; now where none is given, or, with a remark, it is none."""
        micros = None
        if time is not None:
            try:
                micros = event_time_us(time)
            except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
                self.named.leave_out(name, error, instead="the time of the call stands in its place")
        return int(now_s * 1e6) if micros is None else micros

    def text(self, name: str, value: Any) -> bytes:
        """Return a text that may be missing."""
        text = None if value is None else self.named.text(name, value)
        return NULL if text is None else SOME + encode_text(text)

    def trace(self, trace_id: Any) -> bytes:
        """Return a trace_id that may be missing."""
        text = None if trace_id is None else self.named.taken(trace_id_text, "trace_id", trace_id)
        return NULL if text is None else SOME + encode_text(text)

    def duration(self, name: str, value: Any) -> bytes:
        """Return a duration that may be missing."""
        micros = None if value is None else self.named.taken(duration_us, name, value)
        return NULL if micros is None else SOME + encode_long(micros)

    def answer(self, prediction: Any, label: Any, probabilities: Any, classes: Any = None) -> bytes:
        """Return prediction_number, prediction_label and class_probabilities.

        Args:
            prediction: a number or a label, or None.
            label: a label, or None; it stands where ``prediction`` is another one.
            probabilities: probability by class, or in the order of ``classes``, or None.
            classes: see there.
        """
        if type(prediction) is float and probabilities is None:  # What nearly all are.
            if label is None:
                return SOME + pack_double(prediction) + NULL * 2
            if type(label) is str:
                with suppress(ValueRefusedError):
                    return SOME + pack_double(prediction) + self.named.optional(label) + NULL
        return self.choice(prediction, label) + self.shares(probabilities, classes)

    def choice(self, prediction: Any, label: Any) -> bytes:
        """Return prediction_number and prediction_label."""
        text = self.named.text("label", label)
        number: Any = self.named.taken(feature_value, "prediction", prediction)
        if isinstance(number, str):
            own = self.named.text("prediction", number)
            if None not in {text, own} and text != own:
                self.named.remarks(Remark.UNENCODABLE, "prediction", "label is another label, and stands")
            text, number = own if text is None else text, None
        written = NULL if number is None else SOME + self.named.double("prediction", number)
        return written + self.named.optional(text)

    def shares(self, probabilities: Any, classes: Any = None) -> bytes:
        """Return class_probabilities."""
        if probabilities is None:
            return NULL
        if type(probabilities) is not dict:
            try:
                probabilities = by_class(probabilities, classes)
            except Exception as error:  # noqa: BLE001 - a value's own methods may raise anything.
                self.named.leave_out("probabilities", error)
                return NULL
        entries: list[bytes] = []
        for name, value in self.named.pairs(probabilities, "probabilities").items():
            number = self.named.number(f"probabilities.{name}", value if type(value) is float else one(value))
            if number is not None:
                entries.append(self.named.name(name) + pack_double(number))
        return encode_entries(len(entries), b"".join(entries))

    def tags(self, tags: Any) -> bytes:
        """Return the session's tags and those given, which win. A tag whose value is None is left out."""
        if type(tags) is dict and len(tags) <= _MAX_CACHED_TAGS:
            try:
                return self._tag_sets[tuple(tags.items())]
            except KeyError:
                encoded = self._tags(tags)
                if len(self._tag_sets) < _MAX_TAG_SETS and _are_plain(tags):
                    self._tag_sets[tuple(tags.items())] = encoded
                return encoded
            except Exception:  # noqa: BLE001 - values that can't be hashed, or compared.
                return self._tags(tags)
        return self._tags(tags)

    def _tags(self, tags: Any) -> bytes:
        given = self.named.pairs(tags, "tags")
        return self.tag_set({name: self.named.text(f"tags.{name}", value) for name, value in given.items()})

    def tag_set(self, texts: Mapping[str, str | None]) -> bytes:
        """Return the session's tags and those given, which win, as ``named.text`` returned them."""
        merged = {**self._default_tags, **texts}
        entries = [self.named.texts(name)[text] for name, text in merged.items() if text is not None]
        return encode_entries(len(entries), b"".join(entries))


def _are_plain(tags: dict[Any, Any]) -> bool:
    """Return whether tags are strings of Python's own and short: what is equal to them has the same text."""
    return all(type(part) is str and len(part) <= 128 for pair in tags.items() for part in pair)


def check_size(size: int) -> None:
    """Check that an event is not too large.

    Raises:
        ValueRefusedError: ``too_large``.
    """
    if size > MAX_EVENT_BYTES:
        detail = f"an event of {size:,} bytes is more than {MAX_EVENT_BYTES:,}"
        raise ValueRefusedError(Reason.TOO_LARGE, detail)
