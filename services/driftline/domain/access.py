"""Looks at single predictions: by whom, how, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

BY_PROCESS: Final = "process"
BY_HEADER: Final = "header"
BY_ADDRESS: Final = "address"

MOST_TEXT: Final = 2000
"""So long a text is kept of what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One look at predictions.

    Args:
        who: user and host, or what the proxy says, or the address that asked.
        known_by: how it is known who: `BY_PROCESS`, `BY_HEADER` or `BY_ADDRESS`.
        how: ``trace``, ``export``, or the name of a page.
        asked: the keys of a command, or the address of a page.
        model_name: which model was asked for; empty: not by model.
        event_id: which event; empty: not by event.
        rows: predictions that were exported; 0: they were shown on a screen.
        at: when, by the store's clock; None: now.
    """

    who: str
    known_by: str
    how: str
    asked: str
    model_name: str = ""
    event_id: str = ""
    rows: int = 0
    at: datetime | None = None
