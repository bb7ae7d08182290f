"""From which hours of a reference the noise of each channel is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.settings import HOURS_PER_DAY, HOURS_PER_WEEK
from driftline.drift.statistics.lending import lend_noise
from driftline.drift.statistics.noise import Noise, learn_noise

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray
    from driftline.drift.statistics.channels import Channels


@dataclass(frozen=True, slots=True)
class Span:
    """A run of local hours that serves as reference.

    Args:
        start: its first hour.
        weeks: its length.
        lag_weeks: the noise is learned from as many weeks, that begin and end so long before.
    """

    start: int
    weeks: int
    lag_weeks: int = 0

    @property
    def end(self) -> int:
        """The hour after its last."""
        return self.start + self.weeks * HOURS_PER_WEEK

    @property
    def lag(self) -> int:
        """Hours before the reference from which only the noise is learned."""
        return self.lag_weeks * HOURS_PER_WEEK

    @property
    def earliest(self) -> int:
        """The first hour from which anything is learned."""
        return self.start - self.lag

    @property
    def hours(self) -> int:
        """How many hours lie between that and its end."""
        return self.end - self.earliest


@dataclass(frozen=True, slots=True)
class Lesson:
    """Channels whose noise is learned from the same hours.

    Args:
        channels: which, (c,).
        cycle_hours: the cycle by which they are matched, a week or a day.
        hours: from which they learn, of those in the span.
    """

    channels: BoolArray
    cycle_hours: int
    hours: slice


def lessons_of(span: Span, first: IntArray, by_day: BoolArray) -> tuple[Lesson, ...]:
    """Return what the noise of each channel is learned from: features too young to lag behind learn from all.

    Args:
        span: of the reference.
        first: each channel's first known hour in it, (c,).
        by_day: channels too young for weeks, (c,).
    """
    lags = ~by_day & (first < span.lag)
    recent = slice(span.lag, span.hours)
    return (
        Lesson(lags, HOURS_PER_WEEK, slice(0, span.hours - span.lag)),
        Lesson(~by_day & ~lags, HOURS_PER_WEEK, recent),
        Lesson(by_day, HOURS_PER_DAY, recent),
    )


def learn(
    counts: FloatArray,
    sizes: FloatArray,
    channels: Channels,
    lessons: tuple[Lesson, ...],
    scales_hours: tuple[int, ...],
) -> Noise:
    """Learn the noise of all channels."""
    phi = np.ones((len(scales_hours), channels.size))
    dependence, blocks, effective = np.ones_like(phi), np.zeros_like(phi), np.zeros_like(phi)
    information, share = np.zeros(channels.size), np.zeros(channels.size)
    level = np.zeros(channels.size, dtype=np.int64)
    independent = np.full(len(scales_hours), np.inf)
    for lesson in lessons:
        chosen, slots = lesson.channels, lesson.cycle_hours
        if chosen.any():
            learned = learn_noise(
                counts[lesson.hours, chosen].reshape(-1, slots, int(chosen.sum())),
                sizes[lesson.hours].reshape(-1, slots, sizes.shape[1]),
                scales_hours,
                channels.group[chosen],
                ~channels.is_rare[chosen],
            )
            phi[:, chosen], dependence[:, chosen] = learned.phi, learned.dependence
            blocks[:, chosen], effective[:, chosen] = learned.blocks, learned.effective
            information[chosen], share[chosen] = learned.information, learned.share
            level[chosen] = learned.level
            independent = np.minimum(independent, learned.independent)
    noise = Noise(
        phi=phi,
        dependence=dependence,
        blocks=blocks,
        effective=effective,
        independent=independent,
        added=np.zeros_like(phi),
        share=share,
        information=information,
        level=level,
    )
    return lend_noise(noise, channels)
