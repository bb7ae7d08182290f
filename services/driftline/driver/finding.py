"""Find the part of the traffic that carries a shift: pure statistics over counts.

A part carries a shift if the shift within it makes up most of the whole's, and the rest of the traffic moved
by surely less than half as much. Among parts that do, the one that divides the traffic best is named: the
variance of the shift that it explains is greatest for the part that was really hit, since every other part is
a blurred version of that one. A simpler part that explains nearly as much goes first.

A part may also have grown: then nothing moved within any part, and the traffic is another mixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Literal, Self

from scipy.special import ndtri

from driftline.domain.parts import Condition, Counts, Part, part_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DriverName = Literal["part", "grew", "alike", "unclear"]

LEAST_ROWS = 100
"""Of a window and of its reference: fewer say nothing."""

_ALPHA = 0.01
_LEAST_Z = 2.0
_CLEAR_Z = 3.0
_LEAST_CARRIED = 0.7
_LEAST_CARRIED_OF_FEW = 0.5
"""Where the rest may not have moved at all, and what is missing of the shift may be chance."""

_STRONGER = 2.0
_ABOUT_AS_GOOD = 0.9
_LEAST_PART_ROWS = 30
_LEAST_SHARE, _MOST_SHARE = 0.05, 0.5
"""Of the traffic, of a part that has to be ruled out before all of it is called alike."""

_MOST_VALUES = 3
_LEAST_VALUE_CARRIED = 0.1
_PAIRED, _PAIRED_PER_KEY = 12, 3


@dataclass(frozen=True, slots=True)
class Driver:
    """What drives a shift.

    Args:
        found: `part`: one part of the traffic carries it; `grew`: the share of a part in the traffic changed,
            and nothing within it; `alike`: no part carries it; `unclear`: there is too little to say.
        why: one sentence where it is `unclear`; else empty.
        part: the part that carries it; where it is `unclear`, the one that may; empty: none.
        carried: which share of the whole's shift that part makes, 0 to 1.
        z: how surely it moved more than twice as much as the rest.
        critical: what `z` has to exceed, corrected for all parts that were looked at.
        looked_at: how many parts could have been named.
        counts: of the part.
        rest: of all other rows.
        whole: of all rows.
        also: other parts that are nearly the same rows.
    """

    found: DriverName
    whole: Counts
    why: str = ""
    part: Part = ()
    carried: float = 0.0
    z: float = 0.0
    critical: float = 0.0
    looked_at: int = 0
    counts: Counts | None = None
    rest: Counts | None = None
    also: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A part, beside the rest of the traffic."""

    part: Part
    counts: Counts
    whole: Counts
    rest: Counts
    overdispersion: float

    @classmethod
    def of(cls, part: Part, counts: Counts, whole: Counts, overdispersion: float) -> Self:
        """Return a part of these rows."""
        return cls(part, counts, whole, whole - counts, overdispersion)

    @property
    def has_rows(self) -> bool:
        """Whether both the part and the rest can be compared with their past."""
        sizes = (self.counts.rows, self.counts.rows_before, self.rest.rows, self.rest.rows_before)
        return min(sizes) >= _LEAST_PART_ROWS

    @property
    def share(self) -> float:
        """Of the window's rows."""
        return self.counts.rows / max(self.whole.rows, 1)

    @property
    def share_before(self) -> float:
        """Of the reference's rows."""
        return self.counts.rows_before / max(self.whole.rows_before, 1)

    @property
    def carried(self) -> float:
        """The share of the whole's shift that happened within the part."""
        return self.share * self.counts.effect() / self.whole.effect()

    @property
    def z(self) -> float:
        """How surely it moved more than twice as much as the rest."""
        moved = abs(self.counts.effect()) - _STRONGER * abs(self.rest.effect())
        within, without = (_variance(each, self._noise(each)) for each in (self.counts, self.rest))
        return moved / math.sqrt(within + _STRONGER**2 * without)

    @property
    def explained(self) -> float:
        """How much of the variance of the shift is between the part and the rest."""
        return self.share * (1 - self.share) * (self.counts.effect() - self.rest.effect()) ** 2

    @property
    def complexity(self) -> int:
        """How much a person has to read: values, and a further condition counts as one more."""
        return sum(len(condition.values) for condition in self.part) + len(self.part) - 1

    @property
    def is_stronger(self) -> bool:
        """Whether the rest moved by less than half as much, by every cut."""
        return _STRONGER * self.rest.largest_effect <= self.counts.largest_effect

    @property
    def stands_out(self) -> bool:
        """Whether it carries most of the shift, and the rest moved by much less."""
        if not self.is_stronger:
            return False
        noise = math.sqrt(_variance(self.rest, self._noise(self.rest)))
        is_still = abs(self.rest.effect()) <= 2 * noise
        return self.carried >= (_LEAST_CARRIED_OF_FEW if is_still else _LEAST_CARRIED)

    def would_show(self) -> bool:
        """Return whether it would have stood out, had it carried all of the shift; or could not have."""
        effect = self.whole.effect() / max(self.share, _LEAST_SHARE)
        observed = self.counts.expected() + effect
        if not _LEAST_SHARE <= self.share <= _MOST_SHARE or not 0 <= observed <= 1:
            return True
        moved = Counts(
            *(self.counts.rows, (round(observed * self.counts.rows),)),
            *(self.counts.rows_before, self.counts.moved_before[:1]),
        )
        within, without = (_variance(each, self._noise(each)) for each in (moved, self.rest))
        return abs(effect) >= _CLEAR_Z * math.sqrt(within + _STRONGER**2 * without)

    def _noise(self, part: Counts) -> float:
        # What rows of an hour share counts less among fewer of them.
        return 1 + (self.overdispersion - 1) * part.rows / max(self.whole.rows, 1)


def find_driver(
    whole: Counts,
    singles: Mapping[Part, Counts],
    pairs: Mapping[Part, Counts],
    *,
    overdispersion: float = 1.0,
) -> Driver:
    """Return what drives a shift.

    Args:
        whole: counts of all rows.
        singles: counts of parts with one condition on one value: all that may be named.
        pairs: counts of parts with two conditions: of those that `parts_to_pair` chooses.
        overdispersion: of the incident's channel, in the whole traffic.
    """
    too_little = _why_too_little(whole, overdispersion)
    if too_little:
        return Driver("unclear", whole, too_little)
    looked_at = _count_parts(singles)
    critical = float(-ndtri(_ALPHA / max(looked_at, 1) / 2))
    all_counts = dict(singles) | dict(pairs)
    every = [_Candidate.of(part, counts, whole, overdispersion) for part, counts in all_counts.items()]
    candidates = [each for each in every if each.has_rows and each.carried > 0]
    candidates += list(_several_values(candidates, critical))
    # First: where one part grew, a larger one that holds it has moved.
    grown = [each for each in every if len(each.part) == 1 and _has_grown(each, critical)]
    if grown:
        chosen = max(grown, key=lambda each: abs(each.share - each.share_before))
        also = tuple(each.part for each in grown if each is not chosen)
        return _driver("grew", chosen, critical, looked_at, also, carried=_by_growth(chosen))
    found = _among(candidates, whole, critical, looked_at)
    hidden = [each for each in every if each.has_rows and not each.would_show()]
    if found.found == "alike" and hidden:
        named = part_text(max(hidden, key=lambda each: each.share).part)
        why = f"no part stands out, but there are too few rows: {named} alone would not have"
        return replace(found, found="unclear", why=why)
    return found


def parts_to_pair(whole: Counts, singles: Mapping[Part, Counts]) -> Sequence[Part]:
    """Return the parts that are worth being divided further: those that explain most, of each key a few."""
    candidates = [_Candidate.of(part, counts, whole, 1.0) for part, counts in singles.items()]
    effect = whole.effect()
    ranked = sorted(
        (each for each in candidates if each.has_rows and effect and each.carried > 0),
        key=lambda each: -each.explained,
    )
    chosen: list[Part] = []
    for each in ranked:
        key = each.part[0].key
        if sum(part[0].key == key for part in chosen) < _PAIRED_PER_KEY:
            chosen.append(each.part)
    return chosen[:_PAIRED]


def _why_too_little(whole: Counts, overdispersion: float) -> str:
    if min(whole.rows, whole.rows_before) < LEAST_ROWS:
        return f"{whole.rows} rows of the window and {whole.rows_before} of its reference are too few"
    if abs(whole.effect()) < _LEAST_Z * math.sqrt(_variance(whole, overdispersion)):
        return "the rows that are kept do not show the shift"
    return ""


def _among(candidates: Sequence[_Candidate], whole: Counts, critical: float, looked_at: int) -> Driver:
    """Return which of some parts carries the shift within it, or that none does."""
    standing = [each for each in candidates if each.stands_out]
    sure = [each for each in standing if each.z >= critical]
    if sure:
        chosen, also = _choose(sure)
        return _driver("part", chosen, critical, looked_at, also)
    if standing:
        chosen, also = _choose(standing)
        return _driver("unclear", chosen, critical, looked_at, also, why="there are too few rows to be sure")
    if any(each.z >= critical and each.is_stronger for each in candidates):
        why = "parts of the traffic moved by unlike amounts, and none of them carries most of the shift"
        return Driver("unclear", whole, why, critical=critical, looked_at=looked_at)
    return Driver("alike", whole, critical=critical, looked_at=looked_at)


def _driver(
    found: DriverName,
    chosen: _Candidate,
    critical: float,
    looked_at: int,
    also: tuple[Part, ...],
    *,
    why: str = "",
    carried: float | None = None,
) -> Driver:
    return Driver(
        found,
        chosen.whole,
        why,
        part=chosen.part,
        carried=min(chosen.carried if carried is None else carried, 1.0),
        z=chosen.z,
        critical=critical,
        looked_at=looked_at,
        counts=chosen.counts,
        rest=chosen.rest,
        also=also,
    )


def _choose(candidates: Sequence[_Candidate]) -> tuple[_Candidate, tuple[Part, ...]]:
    """Return the simplest of those that explain about as much as the best, and others that are as simple."""
    best = max(each.explained for each in candidates)
    good = [each for each in candidates if each.explained >= _ABOUT_AS_GOOD * best]
    good.sort(key=lambda each: (each.complexity, -each.explained, each.part))
    chosen = good[0]
    also = tuple(each.part for each in good[1:] if each.complexity == chosen.complexity)
    return chosen, also


def _several_values(candidates: Sequence[_Candidate], critical: float) -> Iterator[_Candidate]:
    """Yield the values of each key together that moved by themselves, those that carry most first."""
    singles = sorted((each for each in candidates if len(each.part) == 1), key=lambda each: each.part[0].key)
    for key, group in groupby(singles, key=lambda each: each.part[0].key):
        moved = [each for each in group if each.carried >= _LEAST_VALUE_CARRIED and each.z >= critical]
        moved.sort(key=lambda each: -each.carried)
        for size in range(2, min(len(moved), _MOST_VALUES) + 1):
            taken = moved[:size]
            values = tuple(value for each in taken for value in each.part[0].values)
            counts = taken[0].counts
            for each in taken[1:]:
                counts += each.counts
            whole, overdispersion = taken[0].whole, taken[0].overdispersion
            together = _Candidate.of((Condition(key, values),), counts, whole, overdispersion)
            if together.has_rows:
                yield together


def _by_growth(candidate: _Candidate) -> float:
    """Return the share of the whole's shift that follows from the part's being larger, or smaller."""
    counts = candidate.counts
    # Of a part that is new only the window says what its rows are like.
    own = counts.expected() if counts.rows_before >= _LEAST_PART_ROWS else counts.observed()
    change = candidate.share - candidate.share_before
    return change * (own - candidate.rest.expected()) / candidate.whole.effect()


def _has_grown(candidate: _Candidate, critical: float) -> bool:
    """Return whether a part makes the shift by its size alone, and the rest moved hardly."""
    whole, before, now = candidate.whole, candidate.share_before, candidate.share
    if min(candidate.rest.rows, candidate.rest.rows_before) < _LEAST_PART_ROWS:
        return False
    noise = candidate.overdispersion
    sizes = (now * (1 - now) / whole.rows, before * (1 - before) / whole.rows_before)
    is_sure = abs(now - before) >= critical * math.sqrt(noise * sum(sizes))
    hardly = _STRONGER * candidate.rest.largest_effect <= whole.largest_effect
    return is_sure and hardly and _by_growth(candidate) >= _LEAST_CARRIED


def _variance(counts: Counts, noise: float) -> float:
    """Return the variance of an effect; where nothing or everything moved, that of one row of two."""
    total = 0.0
    for rows, moved in ((counts.rows, counts.moved[0]), (counts.rows_before, counts.moved_before[0])):
        share = (moved + 0.5) / (rows + 1)
        total += share * (1 - share) / max(rows, 1)
    return noise * total


def _count_parts(singles: Mapping[Part, Counts]) -> int:
    """Return how many parts may be named: single values, two or three of a key, and pairs of two keys."""
    sizes: dict[str, int] = {}
    for part in singles:
        sizes[part[0].key] = sizes.get(part[0].key, 0) + 1
    several = sum(math.comb(size, 2) + math.comb(size, 3) for size in sizes.values())
    all_pairs = (len(singles) ** 2 - sum(size**2 for size in sizes.values())) // 2
    return len(singles) + several + all_pairs
