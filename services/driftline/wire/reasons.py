"""Why a value can't be put on the wire: a bounded set of names, used to count what is dropped."""

from __future__ import annotations

from enum import StrEnum

from driftline.errors import WireError


class Reason(StrEnum):
    """Why an event was not accepted, or was given up after it had been."""

    UNSUPPORTED_TYPE = "unsupported_type"
    """A value of a type that the wire has no place for: a datetime feature, a list, bytes."""
    INTEGER_PRECISION = "integer_precision"
    """An integer that a double can't hold exactly."""
    NUMBER_PRECISION = "number_precision"
    """A Decimal or a long double that a double can't hold exactly."""
    INVALID_TEXT = "invalid_text"
    """A string with a lone surrogate."""
    INVALID_NAME = "invalid_name"
    """The name of a feature, tag or class is no string, or an empty one."""
    EVENT_TIME_OUT_OF_RANGE = "event_time_out_of_range"
    """A time before 1970, from 2100 on, or no time at all (NaT, NaN)."""
    INVALID_EVENT_ID = "invalid_event_id"
    """An event_id that is no UUID."""
    INVALID_TRACE_ID = "invalid_trace_id"
    """A trace_id that is not 32 hexadecimal digits."""
    INVALID_DURATION = "invalid_duration"
    """A latency or compute time that is negative, not finite or beyond 64 bits."""
    AMBIGUOUS_PREDICTION = "ambiguous_prediction"
    """``prediction`` and ``label`` give two different labels."""
    MISSING_ACTUAL = "missing_actual"
    """An outcome without a truth: None, NA or NaN."""
    TOO_LARGE = "too_large"
    """An event of more than 1,000,000 bytes, which Kafka's brokers refuse by default."""
    QUEUE_FULL = "queue_full"
    """The memory that the logger may use is taken by events that the log has not taken yet."""
    CLOSED = "closed"
    """The logger was closed before."""
    LOG_UNUSABLE = "log_unusable"
    """Given up at close, since the log took nothing until then."""
    INTERNAL_ERROR = "internal_error"
    """Anything unforeseen, such as an argument whose own methods raise."""


class ValueRefusedError(WireError):
    """A user's value can't be put on the wire as it is, and is not changed in silence."""

    reason: Reason

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
