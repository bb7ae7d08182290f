"""Two versions of a model side by side: traffic, how right each was, what each answered, and how fast.

Where both answered the same rows, as in shadow, they are compared row by row, by the tests that the gate
decides with; else by the intervals of both. Each comparison says which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtr, ndtri

from driftline.domain.hours import hour_time
from driftline.domain.streams import PRODUCTION
from driftline.errors import NotFoundError, SettingError
from driftline.performance.answers import AnswerDrift, Latency, answer_drift, latency_of
from driftline.performance.paired import RELATIVE, Difference, calibration_difference, difference_of, holm
from driftline.performance.pairs import pairs_of
from driftline.performance.task import LOWER_IS_BETTER
from driftline.performance.timeline import read_timeline
from driftline.performance.unpaired import gain
from driftline.store.compared import Two, read_answers, read_both_answered, read_newest_hour, read_traffic
from driftline.store.performance import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.performance.paired import Metric
    from driftline.performance.pairs import PairedTask, Pairs
    from driftline.performance.task import Task
    from driftline.performance.timeline import Period, Value
    from driftline.store.compared import BothAnswered, Traffic
    from driftline.store.connection import Connection

MOST_ROWS: Final = 200_000
"""Of more a sample is compared, always the same."""

LEAST_PAIRS: Final = 30
"""Of fewer rows with truths that both answered, no test of them is worth the name."""

DEFAULT_HOURS: Final = 28 * 24

_LEVEL = 0.025
"""On each side of an interval of 95 %."""

_ANY_WRONG = 0.05
"""In at most this share of comparisons of equal versions is any metric called better or worse."""

_TASKS: Final[Mapping[PairedTask, Sequence[Metric]]] = {
    "binary": ("roc_auc", "accuracy", "brier_score", "log_loss"),
    "labels": ("accuracy",),
    "numbers": ("mae", "rmse"),
}
"""What is tested row by row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two versions.

    Args:
        version: its name.
        traffic: what it answered, by environment.
        environment: where it answered most; its performance is that of there.
        period: how right it was there; None: no truth is known.
        latency: how long its answers took; None: not logged.
    """

    version: str
    traffic: Sequence[Traffic]
    environment: str
    period: Period | None
    latency: Latency | None

    @property
    def predictions(self) -> int:
        """All that it answered."""
        return sum(each.predictions for each in self.traffic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One metric of both versions.

    Args:
        metric: its name.
        one: of the first version.
        other: of the second.
        gain: by how much the second is better; negative: worse. Of what is better low, a share of the first's
            value. None: nothing is sure of it.
        low: of its interval, of 95 %.
        high: likewise.
        rows: that both answered, whose truths are known; None: not of the same rows.
        method: how it was compared.
        is_sure: whether one is better, all metrics of the comparison considered.
    """

    metric: str
    one: float | None
    other: float | None
    gain: float | None
    low: float | None
    high: float | None
    rows: int | None
    method: str
    is_sure: bool = False

    @property
    def is_relative(self) -> bool:
        """Whether the gain is a share of the first version's value."""
        return self.metric in LOWER_IS_BETTER and self.metric != "calibration_error"

    @property
    def verdict(self) -> str:
        """Which is better, as far as that is sure."""
        if self.low is None or self.high is None or self.gain is None:
            return ""
        if not self.is_sure:
            return "not sure"
        return "better" if self.gain > 0 else "worse"

    @property
    def p_value(self) -> float | None:
        """How likely equal versions are at least so far apart, by the interval's side towards none."""
        if self.low is None or self.high is None or self.gain is None:
            return None
        reach = self.gain - self.low if self.gain > 0 else self.high - self.gain
        if reach <= 0:
            return float(self.gain == 0)
        return float(2 * ndtr(-abs(self.gain) / reach * ndtri(1 - _LEVEL)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two versions of a model side by side.

    Args:
        two: which, and when.
        sides: the first and the second.
        both: how many rows both answered, of the sample.
        share: the sample's share of all such rows; 1: all.
        metrics: how right they were.
        answers: how their answers differ; None: they are not of one kind.
    """

    two: Two
    sides: tuple[Side, Side]
    both: int
    share: float
    metrics: Sequence[Compared]
    answers: AnswerDrift | None

    @property
    def how(self) -> str:
        """Whether rows are paired, in a sentence."""
        paired = [each.rows for each in self.metrics if each.rows]
        if paired:
            return (
                f"paired: on {paired[0]:,} rows with truths that both answered (the same request, or the "
                "same entity and time)"
            )
        if self.both:
            return (
                f"not paired: of the {self.both:,} rows that both answered, too few truths are known "
                f"({LEAST_PAIRS} are needed); each by its own rows"
            )
        return "not paired: no row was answered by both; each by its own rows"


def compare_versions(connection: Connection, two: Two, *, now_s: float) -> Comparison:
    """Return two versions side by side.

    Args:
        connection: to the store.
        two: which, and when.
        now_s: the time now, seconds since the epoch.

    Raises:
        NotFoundError: one of them answered nothing in that time.
    """
    traffic = read_traffic(connection, two)
    for version, found in traffic.items():
        if not found:
            raise NotFoundError(
                f"no prediction of version {version} of {two.model_name} has landed in that time: name "
                "another time, or compare its answers out of a file by 'driftline gate --scores'"
            )
    least = min(sum(each.predictions for each in found) for found in traffic.values())
    share = min(1.0, MOST_ROWS / least)
    rows = read_both_answered(connection, two, share=share, most=MOST_ROWS)
    answers = [
        read_answers(
            connection,
            two,
            version,
            share=min(1.0, 2 * MOST_ROWS / sum(each.predictions for each in found)),
            most=MOST_ROWS,
        )
        for version, found in traffic.items()
    ]
    measured = [_measured(connection, two, version, found, now_s) for version, found in traffic.items()]
    sides = [
        Side(
            version=version,
            traffic=found,
            environment=_main(found),
            period=period,
            latency=latency_of(own),
        )
        for (version, found), own, (period, _) in zip(traffic.items(), answers, measured, strict=True)
    ]
    task = next((task for _, task in measured if task is not None), None)
    return Comparison(
        two=two,
        sides=(sides[0], sides[1]),
        both=len(rows),
        share=share,
        metrics=surely(list(_metrics(rows, (measured[0][0], measured[1][0]), task))),
        answers=answer_drift(answers[0], answers[1], rows),
    )


def two_versions(
    connection: Connection,
    model_name: str,
    one: str,
    other: str,
    *,
    since: int | None = None,
    until: int | None = None,
) -> Two:
    """Return which versions are compared, and when: where nothing is given, in their newest 28 days.

    Args:
        connection: to the store.
        model_name: the model.
        one: the first version.
        other: the second.
        since: the first hour, counted from the Unix epoch.
        until: the hour behind the last.

    Raises:
        NotFoundError: neither version answered anything.
        SettingError: there is no hour between both, or the versions are the same.
    """
    if one == other:
        raise SettingError(f"both are version {one} of {model_name}: name two versions")
    two = Two(model_name=model_name, one=one, other=other)
    if until is None:
        newest = read_newest_hour(connection, two)
        if newest is None:
            raise NotFoundError(f"no prediction of version {one} or {other} of {model_name} has landed")
        until = newest + 1
    first = max(until - DEFAULT_HOURS, 0) if since is None else since
    if first >= until:
        raise SettingError(f"there is no hour from {hour_time(first)} until {hour_time(until)}")
    return replace(two, since=first, until=until)


def _main(traffic: Sequence[Traffic]) -> str:
    """Return where a version answered most; production, where that is as much."""
    return max(traffic, key=lambda each: (each.predictions, each.environment == PRODUCTION)).environment


def _measured(
    connection: Connection, two: Two, version: str, traffic: Sequence[Traffic], now_s: float
) -> tuple[Period | None, Task | None]:
    """Return how right a version was in the whole time, where it answered most."""
    asked = Asked(
        model_name=two.model_name,
        environment=_main(traffic),
        model_version=version,
        since=two.since,
        until=two.until,
        hours=two.until - two.since,
        shift=two.since,
    )
    timeline = read_timeline(connection, asked, now_s=now_s, has_estimates=False)
    period = timeline.periods[0] if timeline.task and timeline.periods else None
    return period, timeline.task


def surely(metrics: Sequence[Compared]) -> Sequence[Compared]:
    """Return metrics with those marked that surely differ: the more there are, the surer each has to be.

    Their intervals stay those of each by itself. Holm (1979), so that it holds however they hang together.
    """
    p_values = {each.metric: each.p_value for each in metrics if each.p_value is not None}
    sure = holm(p_values, _ANY_WRONG)
    return [replace(each, is_sure=each.metric in sure) for each in metrics]


def _metrics(
    rows: Sequence[BothAnswered], periods: tuple[Period | None, Period | None], task: Task | None
) -> Iterator[Compared]:
    """Yield the metrics of both: row by row where that can be, else by the intervals of each."""
    known = [each for each in rows if each.has_truth]
    pairs = pairs_of([each.row for each in known], [each.other for each in known], [], (), {})
    paired = _paired(pairs, known, task) if len(pairs.truth) >= LEAST_PAIRS else {}
    if task is None and not paired:
        return
    shown = (*task.main, "calibration_error") if task else ()
    for name in dict.fromkeys([*shown, *paired]):
        if name in paired:
            yield _of_pairs(paired[name])
            continue
        one, other = (None if each is None else each.values.get(name) for each in periods)
        if one is not None or other is not None:
            yield _of_each(name, one, other)


def _paired(pairs: Pairs, known: Sequence[BothAnswered], task: Task | None) -> dict[str, Difference]:
    """Return the differences that are tested row by row, by metric."""
    found: dict[str, Difference | None] = {}
    for name in _TASKS[pairs.task]:
        own, other = pairs.candidate, pairs.production
        if name == "accuracy" and pairs.task == "binary":
            right = _right(known, task)
            own, other = right[1], right[0]
        found[name] = difference_of(name, pairs.truth, own, other)
    if pairs.task == "binary":
        found["calibration_error"] = calibration_difference(pairs.truth, pairs.candidate, pairs.production)
    return {name: each for name, each in found.items() if each is not None}


def _right(known: Sequence[BothAnswered], task: Task | None) -> np.ndarray:
    """Return whether each version was right, by its label, or where that says nothing its score. (2, n)."""

    def is_yes(label: str | None, score: float | None) -> bool:
        decided = task.decides(label) if task and label else None
        return (score is not None and score >= 0.5) if decided is None else decided

    return np.array(
        [
            [
                is_yes(answer.label, answer.number) == ((each.row.actual_number or 0.0) > 0.5)
                for each, answer in answered
            ]
            for answered in (
                [(each, each.row.answer) for each in known],
                [(each, each.other) for each in known],
            )
        ],
        dtype=float,
    )


def _of_pairs(difference: Difference) -> Compared:
    return Compared(
        metric=difference.metric,
        one=difference.production,
        other=difference.candidate,
        gain=difference.value,
        low=difference.low(_LEVEL),
        high=difference.high(_LEVEL),
        rows=difference.rows,
        method=difference.method,
    )


def _of_each(name: str, one: Value | None, other: Value | None) -> Compared:
    """Return a metric of both by their own rows."""
    is_relative = name in RELATIVE or name in LOWER_IS_BETTER
    both = gain(one.measured, other.measured, is_relative=is_relative) if one and other else None
    difference, low, high = both or (None, None, None)
    bases = " and ".join(dict.fromkeys(each.basis for each in (one, other) if each))
    return Compared(
        metric=name,
        one=one.measured.value if one else None,
        other=other.measured.value if other else None,
        gain=difference,
        low=low,
        high=high,
        rows=None,
        method=f"own rows, {bases}" if both else f"own rows, {bases}; no interval of the difference",
    )
