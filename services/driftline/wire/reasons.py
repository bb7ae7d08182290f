"""Why a value or an event can't be put on the wire: bounded sets of names, used to count."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from driftline.errors import WireError


class Reason(StrEnum):
    """Why an event was not accepted, or was given up after it had been."""

    UNENCODABLE = "unencodable"
    """An outcome whose truth is neither a number nor a text."""
    INVALID_EVENT_ID = "invalid_event_id"
    """An outcome whose event_id is no UUID."""
    MISSING_ACTUAL = "missing_actual"
    """An outcome without a truth (None, NA or NaN) that does not say either whether somebody acted."""
    INVALID_REVISION = "invalid_revision"
    """An outcome whose revision is no whole number from 0 to 2^63 - 1."""
    TOO_LARGE = "too_large"
    """An event of more than 1,000,000 bytes, which Kafka's brokers refuse by default."""
    QUEUE_FULL = "queue_full"
    """The memory that the logger may use is taken by events that the log has not taken yet."""
    CLOSED = "closed"
    """The logger was closed before."""
    LOG_UNUSABLE = "log_unusable"
    """Given up at close, since the log took nothing until then."""
    INTERNAL_ERROR = "internal_error"
    """Anything unforeseen."""


class Remark(StrEnum):
    """What became of a value that the wire can't carry as it is. Its event is logged all the same."""

    UNENCODABLE = "unencodable"
    """It was left out."""
    ROUNDED = "rounded"
    """It is a number that no double equals: the nearest double was logged."""


Remarks: TypeAlias = Callable[[Remark, str, str], None]
"""Takes a remark, the name of the feature or argument, and a description of what happened to the value."""


class ValueRefusedError(WireError):
    """A user's value can't be put on the wire."""

    reason: Reason

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)


def unencodable(detail: str) -> ValueRefusedError:
    """Return the error that says why a value is left out."""
    return ValueRefusedError(Reason.UNENCODABLE, detail)


def no_remarks(remark: Remark, name: str, detail: str) -> None:
    """Take a remark, and tell nobody."""
    del remark, name, detail
