"""Which derived rows count: those of the derivation that their hour's pointer names."""

from __future__ import annotations

_HOUR = "model_name, model_version, environment, hour, derivation"


def visible(hours: str = "1") -> str:
    """Return SQL for whether a derived row counts.

    Args:
        hours: SQL condition over the pointers, the same as is asked of the rows: it keeps the list short.
    """
    return f"({_HOUR}) IN (SELECT {_HOUR} FROM derived_hours FINAL WHERE {hours})"
