"""Volume: how many events an hour brings, against the same hours of past weeks.

How many people come is no sample: whole hours are busier than others. So the noise has two parts, that of
counting, and that of the hours themselves, which is learned from weeks that are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import xlogy

from driftline.drift.settings import HOURS_PER_DAY, HOURS_PER_WEEK
from driftline.drift.statistics.noise import critical_values
from driftline.drift.statistics.precedents import AS_FAR, SURELY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.drift.statistics.arrays import BoolArray, FloatArray

MINIMUM_CHANGE = 1.25
"""A page says that surely there were more than so many times as many or as few events."""

FEWEST_EXPECTED = 30.0
"""Where fewer events are expected, nothing follows from their number."""

_UNLIKE_CHANGE = 4.0
"""Hours that the calendar names, and none like them before, may bring so many times as many or as few."""

_ALIKE_CHANGE = 1.5
_BLOCK_WORTH = 1.5
_LARGEST_CORRELATION = 0.95


class Made(NamedTuple):
    """The predictions of an hour: all of the model's, those of the stream, and those of it that arrived.

    What the calendar calls the hour is empty for an ordinary one.
    """

    local_hour: int
    events: float
    sent: float
    rows: float
    entry: str = ""


class Alike(NamedTuple):
    """What hours of one name brought, times what ordinary ones do, and how many such hours there were."""

    times: float
    hours: int


class Expected(NamedTuple):
    """How many events are expected, and between which numbers nothing is news."""

    events: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Volume:
    """What the past leads to expect of a stream's volume.

    Args:
        origin: the local hour of slot 0.
        expected: events at each hour of the week; NaN where the past holds none of these hours, (168,).
        spread: the variance of the logarithm of a window's events, besides that of counting, (scales,).
        critical: what the evidence has to exceed, (scales,).
        alike: how many times as many events as ordinary ones hours brought that the calendar named, and how
            many such hours there were, by name.
        strayed: of past windows, how surely they strayed, with its sign; NaN where nothing is known, by the
            end of the window, (h, scales).
        first: the local hour of the first of them.
    """

    origin: int
    expected: FloatArray
    spread: FloatArray
    critical: FloatArray
    strayed: FloatArray
    first: int
    alike: Mapping[str, Alike] = field(default_factory=dict)

    def expect(self, made: Made) -> Expected:
        """Return how many events an hour should bring, and what would be no news; NaN if that is unknown."""
        usual = float(self.expected[(made.local_hour - self.origin) % HOURS_PER_WEEK])
        if not made.entry:
            return Expected(usual, usual / MINIMUM_CHANGE, usual * MINIMUM_CHANGE)
        known = self.alike.get(made.entry)
        times, change = (1.0, _UNLIKE_CHANGE) if known is None else (known.times, _ALIKE_CHANGE)
        return Expected(usual * times, usual * times / change, usual * times * change)


def learn_volume(
    events: FloatArray,
    usable: BoolArray,
    paged: BoolArray,
    *,
    first: int,
    scales_hours: tuple[int, ...],
    by_week: bool,
    ordinary: int,
    alpha: float,
) -> Volume:
    """Learn what to expect from hours without gaps.

    Args:
        events: of each hour, ascending, whole weeks, (h,).
        usable: which hours count, (h,).
        paged: hours under pages that ended and that nobody called a fault, (h,).
        first: the first local hour.
        scales_hours: lengths of the windows.
        by_week: hours are matched by hour of the week; else by hour of the day.
        ordinary: of so many hours, from the first on, the noise is learned: a fault that nobody found might
            go on in later ones.
        alpha: how often evidence may exceed what is critical by chance.
    """
    cycle = HOURS_PER_WEEK if by_week else HOURS_PER_DAY
    held, there = (np.where(usable, events, 0.0).reshape(-1, cycle), usable.reshape(-1, cycle))
    total, weeks = held.sum(0), there.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = total / weeks
        # Each week is compared with the others; one under a page with all that are not.
        alone = np.where(there, (total - held) / (weeks - there), expected).ravel()
        others = np.where(there, weeks - 1, weeks).ravel()
    shape = (events.size, len(scales_hours))
    spread, df, strayed = np.zeros(len(scales_hours)), np.ones(len(scales_hours)), np.full(shape, np.nan)
    counts_as = usable | paged
    for place, scale in enumerate(scales_hours):
        n, e = _summed(events, scale), _summed(alone, scale)
        counted = (_summed(counts_as, scale) == scale) & (e >= FEWEST_EXPECTED)
        residual = np.log((n + 0.5) / (np.where(counted, e, 1.0) + 0.5))
        chance = (1 + 1 / np.maximum(_summed(others, scale) / scale, 1.0)) / np.maximum(e, 1.0)
        end = np.arange(events.size)
        block = counted & ((events.size - 1 - end) % scale == 0) & (end < ordinary)
        block &= _summed(usable, scale) == scale
        spread[place], df[place] = _noise(residual[block], chance[block])
        z = evidence(n, np.where(counted, e, 1.0), spread[place])
        is_precedent = counted & ((end < ordinary) | (_summed(paged, scale) > 0))
        strayed[:, place] = np.where(is_precedent, np.sign(residual) * z, np.nan)
    return Volume(
        origin=first,
        expected=np.tile(expected, HOURS_PER_WEEK // cycle),
        spread=spread,
        critical=critical_values(df, alpha),
        strayed=strayed,
        first=first,
    )


def _noise(residual: FloatArray, chance: FloatArray) -> tuple[float, float]:
    """Return the variance besides that of counting, and the degrees of freedom behind it."""
    if residual.size < 2:
        return 1.0, 1.0
    power = residual**2
    if not power.any():
        return 0.0, float(residual.size)
    rho = np.clip((residual[1:] * residual[:-1]).sum() / power.sum(), 0.0, _LARGEST_CORRELATION)
    blocks = min(3 * power.sum() ** 2 / (power**2).sum(), residual.size)
    df = max(_BLOCK_WORTH * blocks * (1 - rho) / (1 + rho), 1.0)
    return max(float(power.mean() - chance.mean()), 0.0), float(df)


def evidence(
    events: FloatArray,
    expected: FloatArray,
    spread: FloatArray | float,
    bounds: tuple[FloatArray, FloatArray] | None = None,
) -> FloatArray:
    """Return how surely volumes changed by more than the minimum; 0 where they did not.

    Args:
        events: that came, any shape.
        expected: how many were expected, the same shape.
        spread: variance of the logarithm of their number, the same shape.
        bounds: between which numbers nothing is news, the same shape; left out: by `MINIMUM_CHANGE`.
    """
    few = events < expected
    least, most = bounds or (expected / MINIMUM_CHANGE, expected * MINIMUM_CHANGE)
    nearest = np.where(few, least, most)
    beyond = np.where(few, events < nearest, events > nearest)
    counting = 2 * (xlogy(events, np.maximum(events, 1e-9) / nearest) - (events - nearest))
    hours = np.log((events + 0.5) / (nearest + 0.5)) ** 2 / np.maximum(spread, 1e-9)
    counting, hours = np.maximum(counting, 1e-12), np.maximum(hours, 1e-12)
    return np.where(beyond, 1 / np.sqrt(1 / counting + 1 / hours), 0.0)


class Outcome(Enum):
    """What a volume comes to."""

    PAGES = auto()
    HELD_BACK = auto()
    RECURS = auto()
    OK = auto()
    LEARNING = auto()
    TOO_FEW = auto()


@dataclass(frozen=True, slots=True)
class VolumeFound:
    """What was found in one window.

    Args:
        outcome: what it comes to.
        scale_hours: its length.
        events: that were sent in it.
        completeness: the share of them that arrived.
        expected: how many there should be; NaN where that is not known.
        spread: the variance of the logarithm of such a window's events, besides that of counting.
        z: how surely there are more or fewer.
        critical: what that has to exceed.
    """

    outcome: Outcome
    scale_hours: int
    events: float
    completeness: float
    expected: float = math.nan
    spread: float = math.nan
    z: float = math.nan
    critical: float = math.nan


def learn_alike(volume: Volume, made: Sequence[Made]) -> Mapping[str, Alike]:
    """Return what hours that the calendar named brought, by name.

    Args:
        volume: what is expected of ordinary hours.
        made: the hours that have a name.
    """
    found = {}
    for name in {each.entry for each in made}:
        own = [each for each in made if each.entry == name]
        usual = [float(volume.expected[(each.local_hour - volume.origin) % HOURS_PER_WEEK]) for each in own]
        known = [(each.events, many) for each, many in zip(own, usual, strict=True) if many > 0]
        expected = sum(many for _, many in known)
        if len(known) >= _FEWEST_ALIKE and expected >= FEWEST_EXPECTED:
            found[name] = Alike(max(sum(events for events, _ in known) / expected, _LEAST_TIMES), len(known))
    return found


_FEWEST_ALIKE, _LEAST_TIMES = 4, 0.02


def compare_volumes(
    volume: Volume | None, made: Sequence[Made], scales_hours: tuple[int, ...], margin: float
) -> list[VolumeFound]:
    """Compare the windows that end with an hour.

    Args:
        volume: what is to be expected; None: that is not known yet.
        made: the hours of the longest window, ascending, without gaps.
        scales_hours: lengths of the windows.
        margin: what critical values are multiplied by.
    """
    windows = [_window(made[-scale:], volume) for scale in scales_hours]
    if volume is None:
        return [VolumeFound(Outcome.LEARNING, *window[:3]) for window in windows]
    # When lost events were made is not known: they make no fall, and no rise.
    events = [min(max(one.expected, one.events - one.lost), one.events) for one in windows]
    usual = np.array([one.expected for one in windows])
    is_usual = usual >= FEWEST_EXPECTED
    least, most = (
        np.where(is_usual, [getattr(one, name) for one in windows], 1.0) for name in ("least", "most")
    )
    z = evidence(np.array(events), np.where(is_usual, usual, 1.0), volume.spread, (least, most)).tolist()
    found = []
    for place, (one, many, surely) in enumerate(zip(windows, events, z, strict=True)):
        if not is_usual[place]:
            found.append(VolumeFound(Outcome.TOO_FEW, *one[:3]))
            continue
        critical, outcome = float(volume.critical[place]), Outcome.OK
        if surely > critical:
            before = _second_occasion(volume, place, rises=many > one.expected, hours=one.scale_hours)
            outcome = Outcome.PAGES if surely > critical * margin else Outcome.HELD_BACK
            is_known = SURELY * critical <= before and surely <= AS_FAR * before
            outcome = Outcome.RECURS if is_known else outcome
        figures = one.expected, float(volume.spread[place]), surely, critical * margin
        found.append(VolumeFound(outcome, one.scale_hours, many, one.completeness, *figures))
    return found


class _Window(NamedTuple):
    """The hours of a window, summed."""

    scale_hours: int
    events: float
    completeness: float
    lost: float
    expected: float
    least: float
    most: float


def _window(made: Sequence[Made], volume: Volume | None) -> _Window:
    sent, rows = sum(hour.sent for hour in made), sum(hour.rows for hour in made)
    events = sum(hour.events for hour in made)
    known = (math.nan,) * 3
    if volume is not None:
        expected = [volume.expect(hour) for hour in made]
        known = (
            sum(each.events for each in expected),
            sum(each.least for each in expected),
            sum(each.most for each in expected),
        )
    return _Window(len(made), events, rows / sent if sent else 1.0, sent - rows, *known)


def _second_occasion(volume: Volume, scale: int, *, rises: bool, hours: int) -> float:
    """Return how surely the volume strayed this way on the second of two occasions; 0 where there are none.

    Args:
        volume: of the past.
        scale: the place of the window's length.
        rises: whether there are more events than expected.
        hours: the window's length.
    """
    own = np.nan_to_num(volume.strayed[:, scale]) * (1 if rises else -1)
    apart = np.abs(np.arange(own.size) - own.argmax()) > HOURS_PER_DAY + hours
    return float(max(own[apart].max(initial=0.0), 0.0))


def _summed(values: FloatArray | BoolArray, hours: int) -> FloatArray:
    """Return the sums of so many hours up to each; of fewer at the beginning. Shape (h,) in and out."""
    running = np.cumsum(np.nan_to_num(values.astype(np.float64)))
    running[hours:] -= running[:-hours].copy()
    return running
