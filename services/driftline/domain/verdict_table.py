"""Many verdicts as two arrays: most say that nothing changed, and nobody looks at them one by one.

A day of a stream comes to thousands of verdicts. They are compared, passed on and written as arrays; as
objects exist those that changed, and whatever somebody asks for.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from driftline.domain.statistics import STATISTIC_NAMES, statistics_of
from driftline.domain.verdicts import KINDS, Verdict, VerdictName

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.domain.verdicts import Kind, Reference

FIGURES = ("effect_low", "effect_high", "z", "critical", "overdispersion", "freedom", "detectable_effect")
"""What of a verdict's evidence is known with some error, besides shares."""

_WHOLE = ("scale_hours", "window_end", "sample_size", "reference_size", "rank")
NUMBERS = (*_WHOLE, "listed", "completeness", "observed", "expected", *FIGURES, *STATISTIC_NAMES)
"""The columns of the numbers: NaN where there is none, rank 0."""
TEXTS = ("segment", "feature", "kind", "reference", "verdict", "reason", "channel")
"""The columns of everything else that all verdicts have: texts, and a channel or None."""

NUMBER = {name: place for place, name in enumerate(NUMBERS)}
TEXT = {name: place for place, name in enumerate(TEXTS)}
_PLAIN = ("completeness", "observed", "expected", *FIGURES)
_APPLY = {kind: [each.name for each in statistics_of(kind)] for kind in KINDS}


class Subject(NamedTuple):
    """What verdicts on one hour are about, whatever part of the traffic they are of."""

    feature: str
    kind: Kind
    reference: Reference
    scale_hours: int

    @classmethod
    def of(cls, verdict: Verdict) -> Subject:
        """Return what a verdict is about."""
        return cls(verdict.feature, verdict.kind, verdict.reference, verdict.scale_hours)


class Verdicts(Sequence[Verdict]):
    """Verdicts as a table. Nobody changes its arrays.

    Args:
        numbers: by the columns of ``NUMBERS``, (n, numbers).
        texts: by those of ``TEXTS``, objects, (n, texts).
        own: those that exist as objects, by place; all that changed, were revised, or have an episode or
            drivers, are among them. The arrays hold them, too.
    """

    def __init__(
        self,
        numbers: NDArray[np.float64],
        texts: NDArray[np.object_],
        own: Mapping[int, Verdict] | None = None,
    ) -> None:
        self.numbers, self.texts, self.own = numbers, texts, own or {}

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Verdicts:
        """Return verdicts as a table; one stays as it is."""
        if isinstance(verdicts, Verdicts):
            return verdicts
        own = dict(enumerate(verdicts))
        numbers = np.empty((len(own), len(NUMBERS)))
        texts = np.empty((len(own), len(TEXTS)), dtype=np.object_)
        for place, verdict in own.items():
            numbers[place], texts[place] = _number_row(verdict), _text_row(verdict)
        return cls(numbers, texts, own)

    @classmethod
    def joined(cls, several: Iterable[Verdicts]) -> Verdicts:
        """Return verdicts one after the other."""
        tables = [table for table in several if len(table)]
        if len(tables) <= 1:
            return tables[0] if tables else cls.of(())
        own: dict[int, Verdict] = {}
        before = 0
        for table in tables:
            if table.own:
                own.update((before + place, verdict) for place, verdict in table.own.items())
            before += len(table)
        numbers, texts = [table.numbers for table in tables], [table.texts for table in tables]
        return cls(np.concatenate(numbers), np.concatenate(texts), own)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Verdict: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Verdict]: ...
    def __getitem__(self, place: int | slice) -> Verdict | Sequence[Verdict]:
        """Return the verdict at a place, or those at several."""
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        at = range(len(self))[place]
        known = self.own.get(at)
        return _verdict(self.numbers[at].tolist(), self.texts[at].tolist()) if known is None else known

    def __iter__(self) -> Iterator[Verdict]:
        """Yield all of them as objects."""
        rows = zip(self.numbers.tolist(), self.texts.tolist(), strict=True)
        for place, (numbers, texts) in enumerate(rows):
            known = self.own.get(place)
            yield _verdict(numbers, texts) if known is None else known

    def __eq__(self, other: object) -> bool:
        """Return whether another sequence holds the same verdicts."""
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        """Return what equal ones share."""
        return hash(len(self))

    def __repr__(self) -> str:
        """Return all of them in full."""
        return f"Verdicts.of({list(self)!r})"

    @property
    def changed(self) -> Sequence[Verdict]:
        """Those that page or warn."""
        return [verdict for verdict in self.own.values() if verdict.verdict.has_changed]

    def column(self, name: str) -> NDArray[Any]:
        """Return one column, (n,)."""
        return self.numbers[:, NUMBER[name]] if name in NUMBER else self.texts[:, TEXT[name]]

    def counted(self) -> Mapping[VerdictName, int]:
        """Return how many come to what."""
        return Counter(self.column("verdict").tolist())

    def places(self, subjects: Iterable[Subject]) -> Sequence[int]:
        """Return where the verdicts on some subjects stand, of all parts of the traffic."""
        wanted = set(subjects)
        names = ("feature", "kind", "reference", "scale_hours")
        described = zip(*(self.column(name).tolist() for name in names), strict=True) if wanted else ()
        return [place for place, subject in enumerate(described) if subject in wanted]

    def where(self, name: str, value: object) -> Verdicts:
        """Return those with a value in a column."""
        rows = np.flatnonzero(self.column(name) == value)
        own = {}
        if self.own:
            new = {int(row): place for place, row in enumerate(rows)}
            own = {new[place]: verdict for place, verdict in self.own.items() if place in new}
        return Verdicts(self.numbers[rows], self.texts[rows], own)

    def replaced(self, changed: Mapping[int, Verdict]) -> Verdicts:
        """Return the same with other verdicts at some places."""
        if not changed:
            return self
        numbers, texts = self.numbers.copy(), self.texts.copy()
        for place, verdict in changed.items():
            numbers[place], texts[place] = _number_row(verdict), _text_row(verdict)
        return Verdicts(numbers, texts, {**self.own, **changed})


def _verdict(numbers: Sequence[float], texts: Sequence[Any]) -> Verdict:
    """Return a verdict without episode or drivers."""
    number = {
        name: None if math.isnan(value) else value for name, value in zip(NUMBERS, numbers, strict=True)
    }
    described = dict(zip(TEXTS, texts, strict=True))
    whole: dict[str, Any] = {name: int(number[name] or 0) for name in _WHOLE}
    plain: dict[str, Any] = {name: number[name] for name in _PLAIN}
    is_compared = described["channel"] is not None
    observed, expected = number["observed"], number["expected"]
    return Verdict(
        **described,
        **plain,
        **{**whole, "rank": whole["rank"] or None},
        window_start=whole["window_end"] - whole["scale_hours"],
        effect=None if observed is None or expected is None else observed - expected,
        listed=bool(number["listed"]),
        statistics={name: number[name] for name in _APPLY[described["kind"]]} if is_compared else {},
    )


def _number_row(verdict: Verdict) -> Sequence[float]:
    names = NUMBERS[: -len(STATISTIC_NAMES)]
    values = [getattr(verdict, name) for name in names]
    values += [verdict.statistics.get(name) for name in STATISTIC_NAMES]
    values[NUMBER["rank"]] = verdict.rank or 0
    return [np.nan if value is None else value for value in values]


def _text_row(verdict: Verdict) -> Sequence[Any]:
    return [getattr(verdict, name) for name in TEXTS]
