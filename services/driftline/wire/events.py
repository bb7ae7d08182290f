"""Predictions and outcomes of one logging session, from the user's values to records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from driftline.wire.codec import event_header
from driftline.wire.primitives import (
    NULL,
    SOME,
    EncodedNames,
    EncodedTexts,
    encode_entries,
    encode_long,
    encode_text,
    pack_double,
)
from driftline.wire.reasons import Reason, ValueRefusedError
from driftline.wire.schemas import OUTCOME, PREDICTION
from driftline.wire.values import (
    duration_us,
    event_id_text,
    feature_value,
    number_value,
    text_value,
    trace_id_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EVENT_BYTES = 1_000_000
"""Largest record that is accepted; Kafka's brokers refuse 1,048,588 bytes by default."""


class OpenRecord(NamedTuple):
    """A record that lacks its sequence number, which it gets only when it is accepted.

    Args:
        before: frame and fields before ``sequence``.
        after: fields after it.
    """

    before: bytes
    after: bytes

    def close(self, sequence: int) -> bytes:
        """Return the whole record."""
        return self.before + encode_long(sequence) + self.after


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
        fields: what the events have in common.
        schema_ids: the events' ids in a schema registry, by name; without it, single-object encoding.

    Raises:
        ValueRefusedError: ``invalid_text`` in one of the fields.
    """

    def __init__(self, fields: SessionFields, schema_ids: Mapping[str, int] | None = None) -> None:
        ids = schema_ids or {}
        self._default_tags = dict(fields.default_tags)
        self._names = EncodedNames()
        self._categories = EncodedTexts()
        self._prediction_header = event_header(PREDICTION, ids.get(PREDICTION))
        self._outcome_header = event_header(OUTCOME, ids.get(OUTCOME))
        model_name, session_id = encode_text(fields.model_name), encode_text(fields.session_id)
        version, run = encode_text(fields.model_version), encode_text(fields.training_run_id)
        self._prediction_session = model_name + version + run + session_id
        self._outcome_session = model_name + session_id
        self._environment = encode_text(fields.environment)
        self._encoded_default_tags = self.tags(None)

    def prediction(
        self,
        *,
        event_id: str,
        time_us: int,
        features: bytes,
        prediction: bytes,
        tags: bytes | None = None,
        entity_id: Any = None,
        request_id: Any = None,
        trace_id: Any = None,
        latency_us: Any = None,
        compute_us: Any = None,
    ) -> OpenRecord:
        """Return a PredictionEvent's record, but for its sequence number.

        Args:
            event_id: a UUID in canonical form.
            time_us: microseconds since 1970-01-01T00:00:00Z.
            features: what ``features`` returned.
            prediction: what ``answer`` returned.
            tags: what ``tags`` returned; None: the session's.
            entity_id: the user's value; so are the rest.
            request_id: likewise.
            trace_id: likewise.
            latency_us: likewise, microseconds.
            compute_us: likewise, microseconds.

        Raises:
            ValueRefusedError: a value does not fit the wire.
        """
        before = b"".join(
            (self._prediction_header, encode_text(event_id), encode_long(time_us), self._prediction_session)
        )
        after = b"".join(
            (
                self._environment,
                NULL if entity_id is None else _optional_text(text_value(entity_id)),
                NULL if request_id is None else _optional_text(text_value(request_id)),
                NULL if trace_id is None else _optional_text(trace_id_text(trace_id)),
                features,
                prediction,
                self._encoded_default_tags if tags is None else tags,
                NULL if latency_us is None else _optional_long(duration_us(latency_us)),
                NULL if compute_us is None else _optional_long(duration_us(compute_us)),
            )
        )
        return _checked_size(OpenRecord(before, after))

    def outcome(self, *, event_id: Any, time_us: int, actual: Any) -> OpenRecord:
        """Return an OutcomeEvent's record, but for its sequence number.

        Args:
            event_id: the prediction's UUID.
            time_us: when the truth became known, microseconds since 1970-01-01T00:00:00Z.
            actual: a number or a label.

        Raises:
            ValueRefusedError: a value does not fit the wire; None, NA and NaN: ``missing_actual``.
        """
        truth = feature_value(actual)
        if truth is None or truth != truth:  # noqa: PLR0124 - NaN says that nobody knows yet.
            raise ValueRefusedError(Reason.MISSING_ACTUAL, "an outcome needs a number or a label")
        before = b"".join(
            (
                self._outcome_header,
                encode_text(event_id_text(event_id)),
                encode_long(time_us),
                self._outcome_session,
            )
        )
        number, label = (None, truth) if isinstance(truth, str) else (truth, None)
        after = _optional_double(number) + _optional_text(label)
        return _checked_size(OpenRecord(before, after))

    def features(self, features: Any) -> bytes:
        """Return numeric_features, categorical_features and missing_features.

        Args:
            features: value by name; a mapping or anything with ``items()``. None: no features.

        Raises:
            ValueRefusedError: a value does not fit the wire; the message names the feature.
        """
        if features is None:
            return NULL * 3
        names, categories = self._names, self._categories
        numeric: list[bytes] = []
        categorical: list[bytes] = []
        missing: list[bytes] = []
        name: Any = None
        try:
            for name, value in _items(features):
                # The plain cases first: this loop is a third of what logging one prediction costs.
                kind = type(value)
                if kind is not float and kind is not str:
                    value = feature_value(value)  # noqa: PLW2901 - from here on it is plain.
                    kind = type(value)
                if kind is float:
                    numeric.append(names[name] + pack_double(value))
                elif kind is str:
                    categorical.append(names[name] + categories[value])
                else:
                    missing.append(names[name])
        except ValueRefusedError as error:
            raise _with_name(name, error) from None
        return b"".join(
            (
                encode_entries(len(numeric), b"".join(numeric)),
                encode_entries(len(categorical), b"".join(categorical)),
                encode_entries(len(missing), b"".join(missing)),
            )
        )

    def answer(self, prediction: Any, label: Any, probabilities: Any) -> bytes:
        """Return prediction_number, prediction_label and class_probabilities.

        Args:
            prediction: a number or a label, or None.
            label: a label, or None.
            probabilities: probability by class, or None.

        Raises:
            ValueRefusedError: a value does not fit the wire; two labels: ``ambiguous_prediction``.
        """
        number = prediction if type(prediction) is float else feature_value(prediction)
        text = None if label is None else text_value(label)
        if isinstance(number, str):
            if text is not None and text != number:
                raise ValueRefusedError(
                    Reason.AMBIGUOUS_PREDICTION, "prediction and label are two different labels"
                )
            number, text = None, number
        return b"".join(
            (
                _optional_double(number),
                _optional_text(text),
                NULL if probabilities is None else self._probabilities(probabilities),
            )
        )

    def _probabilities(self, probabilities: Any) -> bytes:
        entries: dict[bytes, bytes] = {}
        name: Any = None
        try:
            for name, value in _items(probabilities):
                number = _probability(value)
                label: Any = text_value(name)
                entries[self._names[label]] = pack_double(number)
        except ValueRefusedError as error:
            raise _with_name(name, error) from None
        if len(entries) != len(probabilities):
            raise ValueRefusedError(Reason.INVALID_NAME, "two classes have the same text")
        return encode_entries(len(entries), b"".join(part for entry in entries.items() for part in entry))

    def tags(self, tags: Any) -> bytes:
        """Return tags: the session's, and those given, which win. A tag whose value is None is left out.

        Raises:
            ValueRefusedError: a value does not fit the wire; the message names the tag.
        """
        merged = {**self._default_tags, **dict(_items(tags))} if tags else self._default_tags
        parts: list[bytes] = []
        name: Any = None
        try:
            for name, value in merged.items():
                text = text_value(value)
                if text is not None:
                    parts.append(self._names[name] + self._categories[text])
        except ValueRefusedError as error:
            raise _with_name(name, error) from None
        return encode_entries(len(parts), b"".join(parts))


def _items(mapping: Any) -> Any:
    """Return (name, value) pairs of a dict, a mapping or a row of a frame."""
    items = getattr(mapping, "items", None)
    if items is None:
        raise ValueRefusedError(
            Reason.UNSUPPORTED_TYPE, f"a {type(mapping).__name__} has no names: pass a dict"
        )
    return items()


def _probability(value: Any) -> float:
    number = number_value(value)
    if number is None:
        raise ValueRefusedError(Reason.UNSUPPORTED_TYPE, "a class needs a probability")
    return number


def _with_name(name: object, error: ValueRefusedError) -> ValueRefusedError:
    """Return an error that says, too, whose value it was that was refused."""
    return ValueRefusedError(error.reason, f"{name!r}: {error.detail}")


def _optional_text(text: str | None) -> bytes:
    return NULL if text is None else SOME + encode_text(text)


def _optional_double(number: float | None) -> bytes:
    return NULL if number is None else SOME + pack_double(number)


def _optional_long(number: int | None) -> bytes:
    return NULL if number is None else SOME + encode_long(number)


def _checked_size(record: OpenRecord) -> OpenRecord:
    size = len(record.before) + len(record.after)
    if size > MAX_EVENT_BYTES:
        raise ValueRefusedError(
            Reason.TOO_LARGE, f"an event of {size:,} bytes is more than {MAX_EVENT_BYTES:,}"
        )
    return record
