"""Hours close by the clock, too: the newest one of a model once it is over and nothing comes any more."""

from __future__ import annotations

from dataclasses import dataclass, replace

from driftline.domain.hours import HOUR_S

QUIET_S = 3600.0
"""So long after a model's last event its newest hour closes though no later one comes."""

_TO_LAND_S = 60.0
"""What was logged at the end of an hour has so long to land."""


@dataclass(frozen=True, slots=True)
class _Newest:
    """A model's newest hour, by a clock that never goes back.

    Args:
        hour: since the Unix epoch, UTC.
        over_s: when it is over.
        quiet_s: and when nothing has come of the model for an hour.
        known_s: up to when it is known that these came.
    """

    hour: int
    over_s: float
    quiet_s: float
    known_s: float


class QuietHours:
    """When the newest hours of models are over, and when they are quiet. For one thread."""

    def __init__(self) -> None:
        self._newest: dict[str, _Newest] = {}

    def moved(self, model_name: str, hour: int, *, now_s: float, store_s: float) -> None:
        """Note that something came of a model.

        Args:
            model_name: which.
            hour: its newest one.
            now_s: the time, by the clock that never goes back.
            store_s: the same moment by the store's clock, seconds since the Unix epoch.
        """
        over_s = now_s + max((hour + 1) * HOUR_S + _TO_LAND_S - store_s, 0.0)
        self._newest[model_name] = _Newest(hour, over_s, max(over_s, now_s + QUIET_S), now_s)

    def forget(self, model_name: str) -> None:
        """Forget a model of which there is nothing any more."""
        self._newest.pop(model_name, None)

    def due(self, now_s: float) -> set[str]:
        """Return the models of which an hour became over or quiet since this was asked last."""
        found = set()
        for name, known in self._newest.items():
            if any(known.known_s < moment <= now_s for moment in (known.over_s, known.quiet_s)):
                found.add(name)
                self._newest[name] = replace(known, known_s=now_s)
        return found

    def is_over(self, model_name: str, hour: int, now_s: float) -> bool:
        """Return whether a model's newest hour is this one, and is over."""
        known = self._newest.get(model_name)
        return known is not None and known.hour == hour and known.over_s <= now_s

    def is_quiet(self, model_name: str, hour: int, now_s: float) -> bool:
        """Return whether a model's newest hour is this one, and nothing has come for an hour since."""
        known = self._newest.get(model_name)
        return known is not None and known.hour == hour and known.quiet_s <= now_s
