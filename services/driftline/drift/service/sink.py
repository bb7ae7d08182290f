"""Whoever takes what hours come to, and how that compares with what the store holds of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from driftline.domain.verdict_table import FIGURES, Verdicts
from driftline.domain.verdicts import Verdict
from driftline.store.verdicts import FIGURE_BITS, SHARE_STEP, STATISTIC_BITS, JudgedHour

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.drift.hours import StreamHour

Key = tuple[object, ...]

INTERRUPTED = "judged again after the worker was interrupted; events had landed meanwhile"

_OF_THE_REVISION = {"revision", "revised_because"}
_COMPARED = tuple(field.name for field in fields(Verdict) if field.name not in _OF_THE_REVISION)
_PRECISION = {
    **dict.fromkeys(FIGURES, 2.0**-FIGURE_BITS),
    "statistics": 2.0**-STATISTIC_BITS,
}
"""How far figures may differ, relatively, from what the store keeps of them; others in their last bits."""


class VerdictSink(Protocol):
    """Takes what hours come to."""

    def take(self, hour: StreamHour, given: Verdicts) -> None:
        """Take the verdicts on all windows that end with an hour, later than those before."""


class FirstVerdicts(VerdictSink):
    """Gathers what hours come to, and on what they were judged.

    Args:
        known: verdicts on their windows that were written before the worker was interrupted.
    """

    def __init__(self, known: Iterable[Verdict] = ()) -> None:
        self._known = by_key(known)
        self._given: list[Verdicts] = []
        self.hours: list[JudgedHour] = []

    def take(self, hour: StreamHour, given: Verdicts) -> None:
        """Take the verdicts on all windows that end with an hour."""
        self._given.append(given)
        self.hours.append(JudgedHour(hour.hour, hour.arrived.rows, hour.arrived.missing))

    @property
    def verdicts(self) -> Verdicts:
        """What is to be written."""
        verdicts = Verdicts.joined(self._given)
        if not self._known:
            return verdicts
        return Verdicts.of(rewritten(self._known, verdicts, INTERRUPTED))


def key_of(verdict: Verdict) -> Key:
    """Return what tells a stream's verdicts apart."""
    feature = (verdict.segment, verdict.reference, verdict.feature, verdict.kind)
    return (*feature, verdict.scale_hours, verdict.window_end)


def by_key(verdicts: Iterable[Verdict]) -> Mapping[Key, Verdict]:
    """Return a stream's verdicts by what tells them apart."""
    return {key_of(verdict): verdict for verdict in verdicts}


def by_end(verdicts: Iterable[Verdict]) -> Mapping[int, Mapping[Key, Verdict]]:
    """Return a stream's verdicts by the hour (since the Unix epoch) that their windows end with."""
    ends: dict[int, dict[Key, Verdict]] = {}
    for verdict in verdicts:
        ends.setdefault(verdict.window_end, {})[key_of(verdict)] = verdict
    return ends


def is_same(one: Verdict, other: Verdict) -> bool:
    """Return whether two verdicts on one window say the same, as far as it is kept, in whatever revision."""
    return all(
        _equal(getattr(one, name), getattr(other, name), _PRECISION.get(name, 1e-6)) for name in _COMPARED
    )


def rewritten(known: Mapping[Key, Verdict], verdicts: Sequence[Verdict], because: str) -> Sequence[Verdict]:
    """Return those verdicts that the store lacks, and those that it has otherwise, as their next revision."""
    changed = []
    for verdict in verdicts:
        old = known.get(key_of(verdict))
        if old is None:
            changed.append(verdict)
        elif not is_same(old, verdict):
            changed.append(replace(verdict, revision=old.revision + 1, revised_because=because))
    return changed


def _given(numbers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the numbers that there are: the store keeps no others."""
    return {name: number for name, number in numbers.items() if number is not None}


def _equal(one: Any, other: Any, precision: float) -> bool:
    """Compare values, one of which may come from the store; shares that are close to 0 by their steps."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=precision, abs_tol=SHARE_STEP) or (
            math.isnan(one) and math.isnan(other)
        )
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        one, other = _given(one), _given(other)
        return one.keys() == other.keys() and all(_equal(one[name], other[name], precision) for name in one)
    return bool(one == other)
