"""Which periods are estimated, by what they are calibrated, and what became of earlier estimates."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.domain.streams import REFERENCE
from driftline.performance.delay import HOUR_S
from driftline.performance.estimate.binary import estimate_binary
from driftline.performance.estimate.labels import estimate_labels
from driftline.performance.estimate.numbers import estimate_numbers
from driftline.performance.estimate.scored import scored_of, worth_of
from driftline.performance.estimate.trust import Compared, trust_of
from driftline.performance.tally import add_up, group_of, of_status
from driftline.store.performance import read_counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.performance.delay import Delays
    from driftline.performance.estimate.drawn import Drawn
    from driftline.performance.estimate.trust import Trust
    from driftline.performance.intervals import Measured
    from driftline.performance.tally import Group
    from driftline.performance.task import Task
    from driftline.store.connection import Connection
    from driftline.store.performance import Asked, Moment

CALIBRATION_DAYS: Final = 28
"""Estimates are calibrated by the truths of so many days, the newest of which nearly all are known."""

LEAST_KNOWN: Final = 300
LEAST_OF_KIND: Final = 20
"""So many truths calibrate, and of yes and no, so many of each."""

MOST_TESTED: Final = 28
"""So many of the newest periods whose truths have come are estimated too, for comparison."""

_LONGEST_DAYS = 120
_DAY = 24


@dataclass(frozen=True, slots=True)
class Estimate:
    """One metric of one period, as it is likely to be.

    Args:
        measured: the value with its interval, which is as wide as earlier estimates show that it has to be.
        trust: what the estimates of earlier periods were worth.
        is_of_reference: whether it is calibrated by the reference rows of the version, and not by its past.
    """

    measured: Measured
    trust: Trust
    is_of_reference: bool


@dataclass(frozen=True, slots=True)
class Served:
    """One period of one stream, of which an estimate is asked for.

    Args:
        stream: which.
        start: its first hour, counted from the Unix epoch.
        end: the hour behind its last.
        groups: what is counted of it.
        finals: its metrics, where nearly all truths are there that will be; else none.
    """

    stream: Stream
    start: int
    end: int
    groups: Sequence[Group]
    finals: Mapping[str, float]


Estimates = dict[tuple["Stream", int], dict[str, Estimate]]


def estimate_all(
    connection: Connection,
    asked: Asked,
    periods: Sequence[Served],
    delays: Delays,
    task: Task,
    *,
    moment: Moment | None = None,
) -> Estimates:
    """Return estimates by stream and first hour: of periods that are not final, and of the newest that are.

    Args:
        connection: to the store.
        asked: what the periods are of.
        periods: of all streams.
        delays: how long truths take.
        task: what is answered.
        moment: as of when; None: now.
    """
    by_stream: dict[Stream, list[Served]] = defaultdict(list)
    for each in sorted(periods, key=lambda each: each.start):
        by_stream[each.stream].append(each)
    chosen = {stream: _newest(own) for stream, own in by_stream.items()}
    first = min((own[0].start for own in chosen.values() if own), default=None)
    if first is None:
        return {}
    wait = delays.coverage.maturity_s / HOUR_S
    past = _read_past(connection, asked, first, delays, moment)
    found: Estimates = {}
    for stream, own in chosen.items():
        of_version = replace(asked, model_version=stream.model_version)
        reference = cache(partial(read_reference, connection, of_version))
        found |= _of_stream(own, past.get(stream, {}), reference, wait, task)
    return found


def _newest(periods: Sequence[Served]) -> Sequence[Served]:
    """Return the periods that are not final, and the newest that are, the oldest first."""
    final = [each for each in periods if each.finals]
    reach = max((each.end for each in periods), default=0) - _LONGEST_DAYS * _DAY
    tested = [each for each in final[-MOST_TESTED:] if each.start >= reach]
    kept = {each.start for each in tested} | {
        each.start for each in periods if not each.finals and each.start >= reach
    }
    return [each for each in periods if each.start in kept]


def _read_past(
    connection: Connection, asked: Asked, first: int, delays: Delays, moment: Moment | None
) -> Mapping[Stream, Mapping[int, Sequence[Group]]]:
    """Return the groups of each day of which nearly all truths are known, by stream and first hour."""
    wait = delays.coverage.maturity_s / HOUR_S
    if not math.isfinite(wait):
        return {}
    since = (first - math.ceil(wait)) // _DAY * _DAY - (CALIBRATION_DAYS + 1) * _DAY
    until = int(min(delays.horizon_s / HOUR_S - wait, asked.until)) + 1
    if until <= max(since, 0):
        return {}
    daily = replace(asked, hours=_DAY, shift=0, since=max(since, 0), until=until)
    days: dict[Stream, dict[int, Sequence[Group]]] = defaultdict(dict)
    for (stream, start), own in read_counted(connection, daily, moment).items():
        days[stream][start] = add_up([group_of(each) for each in own])
    return days


def read_reference(connection: Connection, asked: Asked) -> Sequence[Group]:
    """Return what is counted of reference rows, which the model was not fitted to.

    Args:
        connection: to the store.
        asked: of which model, version, and part of its traffic.
    """
    whole = replace(asked, environment=REFERENCE, since=0, until=1 << 31, hours=1 << 19, shift=0)
    found = read_counted(connection, whole)
    return add_up([group_of(each) for own in found.values() for each in own])


def _of_stream(
    periods: Sequence[Served],
    days: Mapping[int, Sequence[Group]],
    reference: Callable[[], Sequence[Group]],
    wait: float,
    task: Task,
) -> Estimates:
    drawn: list[tuple[Served, Mapping[str, Drawn], bool]] = []
    for each in periods:
        evidence = _evidence(days, each.start, wait)
        is_of_reference = not is_enough(evidence, task)
        if is_of_reference:
            evidence = [reference()]
            if not is_enough(evidence, task):
                continue
        span = (each.end - each.start) / _DAY
        drawn.append((each, estimate(each.groups, evidence, task, span=span), is_of_reference))
    found: Estimates = {}
    for each, own, is_of_reference in drawn:
        estimates = {}
        for name, value in own.items():
            trust = trust_of(_compared(drawn, each, name, wait))
            estimates[name] = Estimate(value.measured(trust.widening), trust, is_of_reference)
        found[each.stream, each.start] = estimates
    return found


def _evidence(days: Mapping[int, Sequence[Group]], start: int, wait: float) -> Sequence[Sequence[Group]]:
    """Return the days whose truths were known when a period began."""
    if not math.isfinite(wait):
        return []
    end = start - math.ceil(wait)
    return [
        own for day, own in sorted(days.items()) if end - (CALIBRATION_DAYS + 1) * _DAY < day <= end - _DAY
    ]


def _compared(
    drawn: Sequence[tuple[Served, Mapping[str, Drawn], bool]], period: Served, name: str, wait: float
) -> Sequence[Compared]:
    """Return earlier estimates beside what they came to, as far as that was known.

    Of a period that is final that is what was known when it began, of another what is known now.
    """
    tested = []
    for each, own, _ in drawn:
        is_known = each.end + wait <= period.start if period.finals else each.start < period.start
        if is_known and name in own and name in each.finals:
            value, final = own[name], each.finals[name]
            tested.append(Compared(value.value, final, value.off(final)))
    return tested


def is_enough(days: Sequence[Sequence[Group]], task: Task) -> bool:
    """Return whether these truths suffice to calibrate by."""
    known = [each for day in days for each in of_status(day, "known")]
    if sum(each.count for each in known) < LEAST_KNOWN:
        return False
    if task.kind != "binary":
        return True
    came = [sum(each.count for each in known if each.truth == truth) for truth in ("0", "1")]
    return min(came) >= LEAST_OF_KIND


def estimate(
    groups: Sequence[Group], days: Sequence[Sequence[Group]], task: Task, *, span: float = 1.0
) -> Mapping[str, Drawn]:
    """Return each metric of a period as it is likely to be once truths are there, by name.

    Args:
        groups: what is counted of the period.
        days: of each day whose truths are known, what calibrates it.
        task: what is answered.
        span: days that the period is long.
    """
    random = np.random.Generator(np.random.PCG64(0))  # The same counts have the same estimate.
    if task.kind == "regression":
        return estimate_numbers(groups, days, random, span=span)
    if task.kind == "multiclass":
        return estimate_labels(groups, days, random, span=span)
    answers = [each for each in groups if each.kind == "answer"]
    period = scored_of(answers, task.decides)
    past = [scored_of([each for each in day if each.kind == "answer"], task.decides) for day in days]
    worth = worth_of(past, period, random)
    return {} if worth is None else estimate_binary(period, worth, random, days=span)
