"""What was logged beside what was stored: equal, or how it differs. Pure: nothing here asks the store."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = float | str | None
Finding = Literal["equal", "stale", "different", "missing", "extra", "misread"]
FINDINGS: Final[tuple[Finding, ...]] = ("equal", "stale", "different", "missing", "extra", "misread")

_CLOSE = 1e-6
"""Numbers that differ by less, relatively, are one: models take single precision."""

_SAME_FACTOR = 1e-4
_FACTOR_SHARE = 0.9
_FACTOR_VALUES = 3
_EXAMPLES = 5

UNITS: Final[Mapping[float, str]] = {
    60.0: "minutes to seconds",
    3600.0: "hours to seconds",
    24.0: "days to hours",
    1440.0: "days to minutes",
    86400.0: "days to seconds",
    100.0: "a fraction to percent",
    1000.0: "a thousandfold",
    1e6: "a millionfold",
    1.609344: "miles to kilometres",
    1.852: "nautical miles to kilometres",
    0.3048: "feet to metres",
    2.54: "inches to centimetres",
    0.45359237: "pounds to kilograms",
    -1.0: "the sign",
}
"""What multiplies a number when a unit is changed; the other way round it divides."""

_SCALES: Final[Mapping[tuple[float, float], str]] = {
    (1.8, 32.0): "Celsius to Fahrenheit",
    (1 / 1.8, -32 / 1.8): "Fahrenheit to Celsius",
}
"""By factor and offset: scales that begin at another zero."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One value of one prediction, logged and stored. Times are microseconds since 1970.

    Args:
        event_id: the prediction's.
        logged: what the model got; None: no value.
        stored: what could be known when it was read; None: no value, or none any more.
        read_us: when it was read.
        served: what the row held that was served, as the provenance names it, where that is an older one.
        behind_us: since when a newer row than that could be known; None: it was the newest.
        is_misread: whether another entity was asked for than the one that the prediction is about.
    """

    event_id: str
    logged: Value
    stored: Value
    read_us: int
    served: Value = None
    behind_us: int | None = None
    is_misread: bool = False

    @property
    def finding(self) -> Finding:
        """How the two differ."""
        if are_equal(self.logged, self.stored):
            return "misread" if self.is_misread else "equal"
        if self.behind_us is not None and are_equal(self.logged, self.served):
            return "stale"
        if self.logged is None:
            return "missing"
        return "extra" if self.stored is None else "different"


@dataclass(frozen=True, slots=True)
class Change:
    """What makes the logged values of the stored ones: ``logged = factor * stored + offset``.

    Args:
        factor: as it says.
        offset: as it says.
    """

    factor: float
    offset: float = 0.0

    @property
    def text(self) -> str:
        """The change, with the units where it is known for one."""
        if self.offset:
            scale = next((name for scale, name in _SCALES.items() if self._is_near(*scale)), "")
            unit = f" ({scale})" if scale else ""
            return f"{self.factor:.6g} times the stored value, and {self.offset:+.6g}{unit}"
        for factor, name in UNITS.items():
            if _is_near(self.factor, factor):
                return f"{self.factor:.6g} times the stored value ({name})"
            if _is_near(self.factor, 1 / factor):
                return f"{self.factor:.6g} times the stored value ({name}, the other way round)"
        return f"{self.factor:.6g} times the stored value"

    def _is_near(self, factor: float, offset: float) -> bool:
        return _is_near(self.factor, factor) and _is_near(self.offset, offset)


@dataclass(frozen=True, slots=True)
class Consistency:
    """One feature, logged and stored.

    Args:
        feature: its name.
        view: the view that it is of.
        versions: of the view, by which it was read.
        counts: how many values by finding.
        smape: the symmetric mean absolute percentage error of numbers, 0 to 2; None: there are none.
        behind_s: by how much stale values were late, seconds, the median; None: none were.
        change: what makes the logged values of the stored ones, where one change explains those that differ.
        constant: the one value that stands for all that differ; None: there are several.
        examples: of those that differ.
        middle: the median of the stored numbers; None: there are none.
        nulls: the share of values that were stored without a value, or not at all.
    """

    feature: str
    view: str
    versions: Sequence[str]
    counts: Mapping[Finding, int]
    smape: float | None = None
    behind_s: float | None = None
    change: Change | None = None
    constant: Value = None
    examples: Sequence[Pair] = field(default_factory=list)
    middle: float | None = None
    nulls: float = 0.0

    @property
    def compared(self) -> int:
        """How many values were compared."""
        return sum(self.counts.values())

    @property
    def mismatches(self) -> int:
        """How many values differ, in whatever way."""
        return self.compared - self.counts["equal"]

    @property
    def share(self) -> float:
        """The share of values that differ; 0 where none was compared."""
        return self.mismatches / self.compared if self.compared else 0.0


def are_equal(one: Value, other: Value) -> bool:
    """Return whether two values are the same, as a model can tell."""
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or one == other or math.isclose(one, other, rel_tol=_CLOSE)
    return one == other


def summarize(feature: str, view: str, versions: Sequence[str], pairs: Sequence[Pair]) -> Consistency:
    """Return how consistent a feature's values are."""
    findings = [pair.finding for pair in pairs]
    counted = Counter(findings)
    by_finding: dict[Finding, list[Pair]] = {name: [] for name in FINDINGS}
    for pair, finding in zip(pairs, findings, strict=True):
        by_finding[finding].append(pair)
    behind = [pair.behind_us for pair in by_finding["stale"] if pair.behind_us is not None]
    odd = [*by_finding["different"], *by_finding["extra"]]
    change = find_change(by_finding["different"])
    stored = [pair.stored for pair in pairs]
    numbers = [value for value in stored if isinstance(value, float) and math.isfinite(value)]
    return Consistency(
        feature=feature,
        view=view,
        versions=versions,
        counts={name: counted[name] for name in FINDINGS},
        smape=smape(pairs),
        behind_s=median(behind) / 1e6 if behind else None,
        change=change,
        constant=None if change else _constant(odd),
        examples=[pair for name in FINDINGS[1:] for pair in by_finding[name]][:_EXAMPLES],
        middle=median(numbers) if numbers else None,
        nulls=sum(value is None for value in stored) / len(stored) if stored else 0.0,
    )


def smape(pairs: Sequence[Pair]) -> float | None:
    """Return the symmetric mean absolute percentage error of numbers, from 0 to 2; None: there are none."""
    errors = []
    for pair in pairs:
        logged, stored = pair.logged, pair.stored
        if not isinstance(logged, float) or not isinstance(stored, float):
            continue
        size = abs(logged) + abs(stored)
        if math.isfinite(size):
            errors.append(2 * abs(logged - stored) / size if size else 0.0)
    return sum(errors) / len(errors) if errors else None


def find_change(pairs: Sequence[Pair]) -> Change | None:
    """Return the one change that makes nine of ten logged values of the stored ones; None: there is none.

    Where an older row was served it is that one's. Fewer than three different stored values prove none.
    """
    both = [(pair.stored if pair.served is None else pair.served, pair.logged) for pair in pairs]
    points = [
        (stored, logged)
        for stored, logged in both
        if isinstance(logged, float)
        and isinstance(stored, float)
        and math.isfinite(logged)
        and math.isfinite(stored)
    ]
    if len({stored for stored, _ in points}) < _FACTOR_VALUES or len({logged for _, logged in points}) == 1:
        return None
    ratios = [logged / stored for stored, logged in points if stored]
    if ratios and _explains(factor := Change(median(ratios)), points):
        return factor
    (low, at_low), (high, at_high) = min(points), max(points)
    slope = (at_high - at_low) / (high - low)
    line = Change(slope, at_low - slope * low)
    return line if _explains(line, points) else None


def _explains(change: Change, points: Sequence[tuple[float, float]]) -> bool:
    held = sum(
        math.isclose(change.factor * stored + change.offset, logged, rel_tol=_SAME_FACTOR, abs_tol=1e-9)
        for stored, logged in points
    )
    return change.factor != 0 and held >= _FACTOR_SHARE * len(points)


def _constant(pairs: Sequence[Pair]) -> Value:
    """Return the one value that was logged instead of all others; None: there are several, or too few."""
    logged = {pair.logged for pair in pairs}
    return logged.pop() if len(logged) == 1 and len(pairs) >= _FACTOR_VALUES else None


def _is_near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_SAME_FACTOR)
