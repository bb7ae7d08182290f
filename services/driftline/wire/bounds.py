"""How large an event's parts may be, wherever they are written, landed or shown.

The SDK never writes more. The store's tables refuse more, whoever wrote it (``schemas/clickhouse``; a test
holds them to this), so that it becomes a dead letter; the lander refuses a record that is too large.
"""

from __future__ import annotations

from typing import Final

MAX_NAME_LENGTH: Final = 512
"""Longest name of a model, version, run, environment, feature, tag or class, characters."""

MAX_NAME_BYTES: Final = 4 * MAX_NAME_LENGTH
"""The same in UTF-8, which is what can be asked cheaply of many."""

MAX_TEXT_BYTES: Final = 65_536
"""Longest text of a value: what is longer is no category, and no identifier."""

MAX_OUTPUTS: Final = 256
"""Most named outputs of an answer: each is watched by itself."""

MAX_EVENT_BYTES: Final = 1_000_000
"""Largest event that the SDK accepts; Kafka's brokers refuse 1,048,588 bytes by default."""

MAX_RECORD_BYTES: Final = 1 << 20
"""Largest record that is landed: an event, its number and its frame."""

MAX_COUNT: Final = 10**12
"""Largest sequence number, and largest count of a heartbeat: of 30,000 events a second for a year."""
