"""Reading a topic of one partition from its beginning on, whoever else reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.log.base import Batch

_MAX_RECORDS = 10_000
_MAX_BYTES = 16 << 20


class OffsetReader(Protocol):
    """Reads from a place in a topic, wherever a group is."""

    def read(self, topic: str, offset: int, *, max_records: int, max_bytes: int) -> Batch | None:
        """Return records from an offset on, or None when there are none."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class OffsetScan:
    """Goes through a topic by its offsets. See ``LogScan``.

    Args:
        reader: of the log; is closed with the scan.
        topic: which.
    """

    def __init__(self, reader: OffsetReader, topic: str) -> None:
        self._reader = reader
        self._topic = topic
        self._next = 0

    def read(self) -> Sequence[Batch]:
        """Return what came since the last call.

        Raises:
            LogError: the log can't be used now.
        """
        found: list[Batch] = []
        first = self._next
        while batch := self._reader.read(self._topic, first, max_records=_MAX_RECORDS, max_bytes=_MAX_BYTES):
            found.append(batch)
            first = batch.last_offset + 1
        self._next = first
        return found

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()
