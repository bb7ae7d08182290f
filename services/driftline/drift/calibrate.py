"""How often a stream's own past pages, and after how many hours shifts of known size are found in it.

The stored hours are replayed through a fresh judge as if they came in now. At some dates the judge is
copied, and the copy sees the hours from there on with a shift in every feature. Features are judged each by
itself, so one replay tells the delay of all of them.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.domain.calibration import HORIZON_HOURS, Calibration, Delays, FalsePages
from driftline.domain.streams import Stream
from driftline.domain.verdicts import Feature
from driftline.drift.incidents.book import IncidentBook
from driftline.drift.shifts import SHIFTS, Shift, shifted, typical_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from driftline.domain.verdicts import Kind, Verdict
    from driftline.drift.judge import Judge
    from driftline.drift.settings import DriftSettings
    from driftline.drift.shifts import Typical
    from driftline.profiles import Grid, HourProfile


@dataclass(frozen=True, slots=True)
class HourSpan:
    """Hours in [first, end), counted from the Unix epoch."""

    first: int
    end: int

    def meets(self, other: HourSpan) -> bool:
        """Return whether both hold an hour."""
        return self.first < other.end and other.first < self.end


@dataclass(frozen=True, slots=True)
class _Injected:
    """What one replay with a shift in it found: the delay of each feature it could show it in."""

    date: int
    shift: str
    found: Mapping[Feature, int | None]


def choose_dates(judged: Sequence[int], dates: int) -> tuple[int, ...]:
    """Choose hours to inject at, evenly over those judged, each with the whole horizon after it.

    Args:
        judged: hours with traffic that are judged, ascending.
        dates: how many at most.
    """
    possible = [hour for hour in judged if hour + HORIZON_HOURS <= judged[-1] + 1]
    if not possible or dates < 1:
        return ()
    places = np.unique(np.linspace(0, len(possible) - 1, dates + 2)[1:-1].round().astype(int))
    return tuple(possible[int(place)] for place in places)


def calibrate(
    judge: Judge,
    profiles: Sequence[HourProfile],
    *,
    settings: DriftSettings,
    grids: Mapping[str, Grid],
    first_judged: int,
    dates: int,
    seed: int,
    known: Sequence[HourSpan] = (),
    completeness: Mapping[int, float] | None = None,
    progress: Callable[[float], None] = lambda _share: None,
) -> Calibration:
    """Replay a stream's past, with and without shifts.

    Pages are counted without the budget's controller, which only ever makes them rarer.

    Args:
        judge: a fresh one of this stream, with its training reference if it has one.
        profiles: of the stream, ascending.
        settings: that the judge was made with.
        grids: of its numeric features.
        first_judged: hours before it are only remembered.
        dates: at how many hours to inject.
        seed: of what is left to chance: which values become null, which of a category change.
        known: pages over these hours are no false ones.
        completeness: the share of an hour's events that arrived, where it is less than 1.
        progress: given which share is done.

    Raises:
        ValueError: no hour is left to be judged.
    """
    judged = [profile.hour for profile in profiles if profile.hour >= first_judged]
    if not judged:
        raise ValueError("no hour is left to be judged: the stream is shorter than what is only learned from")
    replay = _Replay(profiles, settings, grids, completeness or {}, seed)
    chosen = choose_dates(judged, dates)
    rounds = _rounds(SHIFTS)
    steps, done = len(judged) + len(chosen) * len(rounds) * HORIZON_HOURS, 0
    book = IncidentBook(Stream("", "", ""), settings=settings)
    injected: list[_Injected] = []
    for place, profile in enumerate(profiles):
        if profile.hour < first_judged:
            judge.remember(profile, completeness=replay.completeness(profile))
            continue
        if profile.hour in chosen:
            typical = typical_of(replay.before(place), grids)
            for shifts in rounds:
                injected += replay.inject(copy.deepcopy(judge), place, shifts, typical)
                done += HORIZON_HOURS
                progress(done / steps)
        book.take(profile.hour, judge.judge(profile, completeness=replay.completeness(profile)))
        done += 1
        progress(done / steps)
    names = sorted({*_features(profiles)})
    return Calibration(
        first_hour=judged[0],
        end_hour=judged[-1] + 1,
        budget_hours=settings.page_budget_hours,
        model=_false_pages(None, book, judged, known),
        features=tuple(_false_pages(feature, book, judged, known) for feature in names),
        dates=chosen,
        delays=tuple(_delays(injected, book, chosen, settings)),
    )


class _Replay:
    """A stream's past and what is needed to play parts of it again."""

    def __init__(
        self,
        profiles: Sequence[HourProfile],
        settings: DriftSettings,
        grids: Mapping[str, Grid],
        completeness: Mapping[int, float],
        seed: int,
    ) -> None:
        self._profiles = profiles
        self._settings = settings
        self._grids = grids
        self._completeness = completeness
        self._seed = seed

    def completeness(self, profile: HourProfile) -> float:
        return self._completeness.get(profile.hour, 1.0)

    def before(self, place: int) -> Sequence[HourProfile]:
        """Return the hours that serve as reference at a place."""
        oldest = self._profiles[place].hour - self._settings.reference_hours
        return [profile for profile in self._profiles[:place] if profile.hour >= oldest]

    def inject(
        self,
        judge: Judge,
        place: int,
        shifts: Mapping[Kind, Shift],
        typical: Mapping[tuple[str, Kind], Typical],
    ) -> list[_Injected]:
        """Return the delay of each feature when all hours from a place on are shifted."""
        date = self._profiles[place].hour
        rng = np.random.default_rng((self._seed, date, *(SHIFTS.index(shift) for shift in shifts.values())))
        able = {
            Feature(name, kind)
            for (name, kind), known in typical.items()
            if kind in shifts and shifts[kind].applies(known)
        }
        found: dict[Feature, int] = {}
        for profile in self._profiles[place:]:
            if profile.hour >= date + HORIZON_HOURS or len(found) == len(able):
                break
            verdicts = judge.judge(
                shifted(profile, shifts, typical, rng), completeness=self.completeness(profile)
            )
            for feature in _paging(verdicts) & able:
                found.setdefault(feature, profile.hour + 1 - date)
        return [
            _Injected(
                date, shift.name, {feature: found.get(feature) for feature in able if feature.kind == kind}
            )
            for kind, shift in shifts.items()
        ]


def _rounds(shifts: Sequence[Shift]) -> list[dict[Kind, Shift]]:
    """Pair shifts of numbers with shifts of categories, which one replay can show together."""
    numeric = [shift for shift in shifts if shift.kind == "numeric"]
    categorical = [shift for shift in shifts if shift.kind == "categorical"]
    rounds: list[dict[Kind, Shift]] = [{"numeric": shift} for shift in numeric]
    for place, shift in enumerate(categorical):
        if place < len(rounds):
            rounds[place]["categorical"] = shift
        else:
            rounds.append({"categorical": shift})
    return rounds


def _paging(verdicts: Iterable[Verdict]) -> set[Feature]:
    return {Feature(one.feature, one.kind) for one in verdicts if one.verdict == "page"}


def _features(profiles: Iterable[HourProfile]) -> set[Feature]:
    found: set[Feature] = set()
    for profile in profiles:
        found |= {Feature(name, "numeric") for name in profile.numeric}
        found |= {Feature(name, "categorical") for name in profile.categorical}
    return found


def _spans(feature: Feature | None, book: IncidentBook) -> list[HourSpan]:
    """Return the hours of incidents, of one feature's part in them, or of all."""
    spans = []
    for incident in book.incidents:
        own = [each for each in incident.findings if feature in (None, Feature(each.feature, each.kind))]
        if own:
            spans.append(HourSpan(min(each.since for each in own), max(each.last for each in own)))
    return spans


def _false_pages(
    feature: Feature | None, book: IncidentBook, judged: Sequence[int], known: Sequence[HourSpan]
) -> FalsePages:
    spans = _spans(feature, book)
    left_out = [span for span in spans if any(span.meets(each) for each in known)]
    hours = [hour for hour in judged if not any(each.first <= hour < each.end for each in known)]
    return FalsePages(
        name="" if feature is None else feature.name,
        kind=None if feature is None else feature.kind,
        pages=len(spans) - len(left_out),
        known=len(left_out),
        hours=len(hours),
    )


def _delays(
    injected: Iterable[_Injected], book: IncidentBook, dates: Sequence[int], settings: DriftSettings
) -> Iterable[Delays]:
    spans: dict[Feature, list[HourSpan]] = {}
    grouped: dict[tuple[Feature, str], list[int | None]] = defaultdict(list)
    for each in injected:
        for feature, delay in each.found.items():
            spans.setdefault(feature, _spans(feature, book))
            # A feature that pages by itself around that date proves nothing.
            watched = HourSpan(
                each.date - settings.quiet_hours, each.date + (HORIZON_HOURS if delay is None else delay)
            )
            delays = grouped[feature, each.shift]
            if not any(span.meets(watched) for span in spans[feature]):
                delays.append(delay)
    order = {shift.name: place for place, shift in enumerate(SHIFTS)}
    for feature, name in sorted(grouped, key=lambda key: (key[0], order[key[1]])):
        yield Delays(feature, name, tuple(grouped[feature, name]), len(dates))
