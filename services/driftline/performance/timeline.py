"""How right a model was, period by period, with what is known of each by now, and what that is worth.

Beside it, how right it was likely to be, which is known before any truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from driftline.performance.delay import HOUR_S, Delays, delays_of
from driftline.performance.estimate.reading import Served, estimate_all, read_reference
from driftline.performance.intervals import Measured, effective
from driftline.performance.tally import add_up, group_of, of_status
from driftline.performance.task import Task, task_of
from driftline.store.business_values import read_business_value
from driftline.store.performance import read_counted, read_delays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.performance.estimate.reading import Estimate
    from driftline.performance.tally import Group
    from driftline.store.connection import Connection
    from driftline.store.performance import Asked, HourDelays, Moment

Basis: TypeAlias = Literal["final", "weighted", "bounds", "known"]
"""What a value rests on.

final: nearly all truths that will ever come. weighted: those that came, each standing for those of its kind
that will. bounds: whatever those may say that are not known. known: what came alone, which may be no fair
sample.
"""

DELAY_HOURS = 90 * 24
"""How long truths take is read from so many hours."""


@dataclass(frozen=True, slots=True)
class Value:
    """One metric of one period.

    Args:
        measured: the value with its interval.
        basis: what it rests on.
        naive: the metric of what came alone, each counting the same; None: it cannot be measured.
    """

    measured: Measured
    basis: Basis
    naive: float | None


@dataclass(frozen=True, slots=True)
class Period:
    """One period of one stream.

    Args:
        stream: which.
        start: its first hour, counted from the Unix epoch.
        end: the hour behind its last.
        predictions: all.
        known: of them, those whose truth is known.
        acted_on: those that somebody acted on.
        expected: the share of the others that is expected to be known by now, and in the end.
        values: by metric.
        estimates: by metric, as it was likely to be by the scores; none: not estimated.
    """

    stream: Stream
    start: int
    end: int
    predictions: int
    known: int
    acted_on: int
    expected: tuple[float, float]
    values: Mapping[str, Value]
    estimates: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def unknown(self) -> int:
        """How many have no truth, and nobody acted on."""
        return self.predictions - self.known - self.acted_on

    @property
    def is_final(self) -> bool:
        """Whether nearly all truths are there that will come."""
        return bool(self.values) and all(value.basis == "final" for value in self.values.values())

    @property
    def finals(self) -> Mapping[str, float]:
        """The final values by metric, as far as they can be measured."""
        measured = {
            name: value.measured.value for name, value in self.values.items() if value.basis == "final"
        }
        return {name: value for name, value in measured.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Timeline:
    """How right a model was.

    Args:
        task: what it answers; None: no truth is known, of its reference rows neither.
        delays: how long truths take.
        periods: by stream, the oldest first.
    """

    task: Task | None
    delays: Delays
    periods: Sequence[Period]


def read_timeline(
    connection: Connection,
    asked: Asked,
    *,
    now_s: float,
    moment: Moment | None = None,
    has_estimates: bool = True,
) -> Timeline:
    """Return how right a model was, period by period.

    Args:
        connection: to the store.
        asked: of which model, and since when.
        now_s: the time now, seconds since the epoch.
        moment: as of when; None: now.
        has_estimates: whether periods are estimated, too.
    """
    hours = read_recent_delays(connection, asked, now_s=now_s, moment=moment)
    if moment is not None:
        now_s = min(now_s, moment.as_of.timestamp())
    delays = delays_of(hours, now_s=now_s)
    counted = read_counted(connection, asked, moment)
    periods = {key: [group_of(each) for each in own] for key, own in counted.items()}
    groups = [group for own in periods.values() for group in own]
    task = task_of(groups) or task_of([*read_reference(connection, asked), *groups])
    if task is None:
        return Timeline(None, delays, [_bare(*key, own, asked, delays) for key, own in periods.items()])
    task = replace(task, business_value=read_business_value(connection, asked.model_name))
    if task.kind == "regression":
        delays = delays_of([replace(each, truth="") for each in hours], now_s=now_s)
    young = [each.hour for each in hours if not delays.is_mature(each.hour)]
    by_hour = _read_young(connection, asked, min(young), moment) if young and delays.by_truth else {}
    found, served = [], []
    for (stream, start), own in periods.items():
        hourly = {
            hour: groups
            for (known, hour), groups in by_hour.items()
            if known == stream and start <= hour < start + asked.hours
        }
        bare = _bare(stream, start, own, asked, delays)
        found.append(replace(bare, values=values_of(own, hourly, delays, task)))
        served.append(Served(stream, bare.start, bare.end, own, found[-1].finals))
    if not has_estimates:
        return Timeline(task, delays, found)
    estimates = estimate_all(connection, asked, served, delays, task, moment=moment)
    with_both = [replace(each, estimates=estimates.get((each.stream, each.start), {})) for each in found]
    return Timeline(task, delays, with_both)


def read_recent_delays(
    connection: Connection, asked: Asked, *, now_s: float, moment: Moment | None = None
) -> Sequence[HourDelays]:
    """Return how long truths took of all versions, of the last 90 days; of all time, where these have none.

    Args:
        connection: to the store.
        asked: of which model, and part of its traffic.
        now_s: the time now, seconds since the epoch.
        moment: as of when; None: now.
    """
    until = int(now_s // 3600) + 1
    of_all = replace(asked, model_version="", since=0, until=max(asked.until, until))
    recent = replace(of_all, since=max(until - DELAY_HOURS, 0))
    return read_delays(connection, recent, moment) or read_delays(connection, of_all, moment)


def _read_young(
    connection: Connection, asked: Asked, first: int, moment: Moment | None
) -> Mapping[tuple[Stream, int], Sequence[Group]]:
    """Return the groups of each hour of which truths are still to come, and of those beside them."""
    start = (max(first, asked.since) - asked.shift) // asked.hours * asked.hours + asked.shift
    hourly = replace(asked, hours=1, shift=0, since=max(start, asked.since))
    found = read_counted(connection, hourly, moment)
    return {key: [group_of(each) for each in own] for key, own in found.items()}


def _bare(stream: Stream, start: int, groups: Sequence[Group], asked: Asked, delays: Delays) -> Period:
    """Return what is counted of a period, without its metrics."""
    answers = [each for each in groups if each.kind == "answer"]
    counts = {
        status: round(sum(each.count for each in answers if each.status == status))
        for status in ("known", "unknown", "acted_on")
    }
    first, end = max(start, asked.since), min(start + asked.hours, asked.until)
    age_s = max(delays.horizon_s - (first + end) / 2 * HOUR_S, 0.0)
    return Period(
        stream=stream,
        start=first,
        end=end,
        predictions=sum(counts.values()),
        known=counts["known"],
        acted_on=counts["acted_on"],
        expected=(delays.coverage.at(age_s), delays.coverage.final),
        values={},
    )


def values_of(
    groups: Sequence[Group], by_hour: Mapping[int, Sequence[Group]], delays: Delays, task: Task
) -> Mapping[str, Value]:
    """Return the metrics of a period.

    Args:
        groups: of the whole period.
        by_hour: of each of its hours, where truths of some are still to come; else none.
        delays: how long truths take.
        task: what is answered.
    """
    naive = task.measure(groups)
    if not delays.by_truth:
        return _without_weights(naive, groups, task)
    if all(delays.is_mature(hour) for hour in by_hour):
        return {name: Value(own, "final", own.value) for name, own in naive.items()}
    weighted = _weighted(by_hour, delays)
    if weighted is None:
        return _without_weights(naive, groups, task)
    return {
        name: Value(own, "weighted", naive[name].value if name in naive else None)
        for name, own in task.measure(weighted).items()
    }


def _weighted(by_hour: Mapping[int, Sequence[Group]], delays: Delays) -> Sequence[Group] | None:
    """Return known groups, each counting for all of its kind that will be known; None: nobody can tell.

    Hours of which hardly anything is known are left out: what little there is would stand for too much. What
    is not known of the shares themselves counts as a smaller sample.
    """
    counted: list[Group] = []
    late: dict[str, tuple[float, float]] = {}
    for hour, groups in by_hour.items():
        known = [each for each in groups if each.status == "known"]
        if delays.is_mature(hour):
            counted += known
            continue
        if any(not delays.knows(each.truth) for each in known if each.kind == "answer"):
            return None
        shares = delays.shares_known(hour)
        if shares is None:
            continue
        for each in known:
            weighted = each.weighted(1 / _share_of(each, shares))
            counted.append(weighted)
            if each.kind == "answer":
                held, stands_for = late.get(each.truth, (0.0, 0.0))
                late[each.truth] = (held + each.count, stands_for + weighted.count)
    unsure = sum(
        (stands_for / held - 1) / delays.seen(truth) for truth, (held, stands_for) in late.items() if held
    )
    return _less_sure(add_up(counted), unsure) if counted else None


def _share_of(group: Group, shares: Mapping[str, float]) -> float:
    """Return the share of a group's kind that is known; of a class that did not come true, that of all."""
    if len(shares) > 1 and (group.kind == "answer" or group.truth == "1"):
        kind = group.truth if group.kind == "answer" else group.decision
        if kind in shares:
            return shares[kind]
    return sum(shares.values()) / len(shares)


def _less_sure(groups: Sequence[Group], unsure: float) -> Sequence[Group]:
    answers = of_status(groups, "known")
    sample = effective(sum(each.count for each in answers), sum(each.squared for each in answers))
    inflation = 1 + sample * unsure / 4
    return [replace(each, squared=each.squared * inflation) for each in groups]


def _without_weights(
    naive: Mapping[str, Measured], groups: Sequence[Group], task: Task
) -> Mapping[str, Value]:
    """Return what is known where nobody knows whose truths are late: bounds, or what is known alone."""
    bounds = _bounds(groups, task)
    return {
        name: Value(replace(own, low=bounds[name][0], high=bounds[name][1]), "bounds", own.value)
        if name in bounds and own.value is not None
        else Value(own, "known", own.value)
        for name, own in naive.items()
    }


def _bounds(groups: Sequence[Group], task: Task) -> Mapping[str, tuple[float, float]]:
    """Return between what shares would come to lie, whatever the truths say that are not known."""
    known, unknown = of_status(groups, "known"), of_status(groups, "unknown")
    if task.kind == "multiclass":
        right = sum(each.count for each in known if each.decision == each.truth)
        return {
            "accuracy": _between(
                right, sum(each.count for each in known), sum(each.count for each in unknown)
            )
        }
    if task.kind != "binary":
        return {}
    yes, no = ([_answered(each, task, wanted) for each in known] for wanted in (True, False))
    came = [each.truth == "1" for each in known]
    hit = sum(own for own, true in zip(yes, came, strict=True) if true)
    rejected = sum(own for own, true in zip(no, came, strict=True) if not true)
    open_yes, open_no = (sum(_answered(each, task, wanted) for each in unknown) for wanted in (True, False))
    return {
        "accuracy": _between(hit + rejected, sum(yes) + sum(no), open_yes + open_no),
        "precision": _between(hit, sum(yes), open_yes),
    }


def _answered(group: Group, task: Task, wanted: bool) -> float:
    """Return how many of a group were answered with yes, or with no."""
    decided = task.decides(group.decision)
    if decided is not None:
        return group.count if decided == wanted else 0.0
    above = float(group.counts[group.bins >= 0].sum())
    return above if wanted else group.count - above


def _between(part: float, whole: float, more: float) -> tuple[float, float]:
    all_of_them = max(whole + more, 1e-9)
    return part / all_of_them, (part + more) / all_of_them
