"""Every error that driftline raises on purpose.

DriftlineError
├── SettingError           a setting is wrong (also a ValueError)
├── WireError              bytes are no event of the wire contract
├── LogError               the event log can't be used
│   ├── LogFullError       it is at its bound
│   └── LogMovedError      another reader went on meanwhile
├── StoreError             the store can't be used
│   ├── StoreAwayError     it does not answer; trying again may help
│   ├── StoreBusyError     another process owns it and does not answer
│   └── StatementError     it refuses what it is asked
├── OnlineError            features online can't be used
├── DeadLetterLimitError   too many records are refused for single bad ones to explain
└── NotFoundError          what was asked for is not there
"""

from __future__ import annotations

_LONGEST_DETAIL = 2000


class DriftlineError(Exception):
    """Base of all errors that driftline raises on purpose."""


class SettingError(DriftlineError, ValueError):
    """A setting is wrong; the message names it, its value and what is allowed."""


class WireError(DriftlineError):
    """Bytes are no event of the wire contract.

    Args:
        reason: a short, bounded name for counting, such as ``unknown_frame``.
        detail: what exactly is wrong, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class LogError(DriftlineError):
    """The event log can't be used."""


class LogFullError(LogError):
    """The event log is at its bound and takes nothing more until it has been landed."""


class LogMovedError(LogError):
    """Another reader of the group went on where this one was; what it holds is no longer its to process."""


class StoreError(DriftlineError):
    """The store can't be used."""


class StoreAwayError(StoreError):
    """The store does not answer; trying again may help."""


class StoreBusyError(StoreError):
    """Another process owns the embedded store and does not answer."""


class StatementError(StoreError):
    """The store refuses what it is asked.

    Args:
        failed: what failed, as the message begins.
        code: ClickHouse's number for the reason.
        detail: what the store says; of a long one the message has the beginning and the end.
    """

    def __init__(self, failed: str, *, code: int, detail: str) -> None:
        half = _LONGEST_DETAIL // 2
        is_long = len(detail) > _LONGEST_DETAIL  # It may quote all that was asked.
        super().__init__(f"{failed}: {f'{detail[:half]} [...] {detail[-half:]}' if is_long else detail}")
        self.code = code
        self.detail = detail


class OnlineError(DriftlineError):
    """An online back end of the feature store can't be used; what was written before stands."""


class DeadLetterLimitError(DriftlineError):
    """More records are refused than single bad ones explain; the lander stops until somebody looks."""


class NotFoundError(DriftlineError):
    """What was asked for is not there."""
