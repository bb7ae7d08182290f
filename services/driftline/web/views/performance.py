"""How right one model was: its metrics over time, and the basis of each value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_of
from driftline.domain.streams import PRODUCTION
from driftline.errors import NotFoundError
from driftline.performance.business_value import BUSINESS_VALUE
from driftline.performance.intervals import insufficient
from driftline.performance.timeline import read_timeline
from driftline.store.hours import read_store_time
from driftline.store.performance import Asked, read_counted_segments, read_performance_models
from driftline.web import formatting
from driftline.web.draw.performance import Point, timeline_chart
from driftline.web.period import Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from driftline.performance.estimate.reading import Estimate
    from driftline.performance.intervals import Measured
    from driftline.performance.timeline import Period as Counted
    from driftline.performance.timeline import Timeline, Value
    from driftline.store.connection import Connection
    from driftline.web.views.streams import Choice

TITLES: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "f1_macro": "F1, mean over labels",
    "roc_auc": "ROC AUC",
    "roc_auc_macro": "ROC AUC, mean over labels",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "calibration_error": "Calibration error",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "mape": "Mean absolute percentage error",
    "r2": "R²",
    "business_value": "Business value of a prediction",
    "bias": "Bias (answer less truth)",
}
"""The title of each metric."""

BASES: Mapping[str, str] = {
    "final": "final",
    "weighted": "partial: each truth that came stands for those of its kind that are late",
    "bounds": "partial: between these it will come to lie, whatever is still to come",
    "known": "partial: of what is known alone, which may be no fair sample",
}
"""The basis of a value, as pages describe it."""

_DAYS_OF_WEEKS = 90


@dataclass(frozen=True, slots=True)
class MetricView:
    """One metric over time.

    Args:
        name: of the metric.
        title: for people.
        drawn: its chart; None: there is no value.
        latest: its value in the newest period in which there is one; None: in none.
        estimate: in the newest period that is estimated; None: in none.
    """

    name: str
    title: str
    drawn: Markup | None
    latest: Value | None
    estimate: Estimate | None


@dataclass(frozen=True, slots=True)
class PerformanceView:
    """How right a model was.

    Args:
        name: the model.
        segment: the part of the traffic; empty: the whole.
        segments: that it is counted in.
        period: what the charts show.
        timeline: the values of all periods.
        metrics: the main ones of such a task.
    """

    name: str
    segment: str
    segments: Sequence[str]
    period: Period
    timeline: Timeline
    metrics: Sequence[MetricView]

    @property
    def periods(self) -> Sequence[Counted]:
        """The periods, the newest first."""
        return sorted(self.timeline.periods, key=lambda each: (-each.start, each.stream))

    @property
    def maturity_hours(self) -> float:
        """The age at which nearly all truths are known that will be; infinite: nobody can tell."""
        return self.timeline.delays.coverage.maturity_s / 3600


def view_performance(
    connection: Connection, model_name: str, choice: Choice, *, segment: str = ""
) -> PerformanceView:
    """Return how right a model was.

    Args:
        connection: to the store.
        model_name: the model.
        choice: of days, version and environment.
        segment: of this part of the traffic; empty: of the whole.

    Raises:
        NotFoundError: no outcome of it is known.
    """
    environment = choice.environment or PRODUCTION
    models = read_performance_models(connection, environment)
    if model_name not in models:
        raise NotFoundError(f"no outcome of {model_name!r} in {environment} is known; log_outcome logs them")
    end = hour_of(models[model_name][1]) + 1
    period = Period(end, choice.days)
    hours = 168 if choice.days >= _DAYS_OF_WEEKS else 24
    asked = Asked(
        model_name=model_name,
        environment=environment,
        model_version=choice.version or "",
        segment=segment,
        since=max(period.first_hour, 0),
        until=end,
        hours=hours,
        shift=end,
    )
    now_s = read_store_time(connection).timestamp()
    timeline = read_timeline(connection, asked, now_s=now_s)
    names = timeline.task.main if timeline.task else ()
    return PerformanceView(
        name=model_name,
        segment=segment,
        segments=read_counted_segments(connection, asked),
        period=period,
        timeline=timeline,
        metrics=[_metric(name, timeline, period) for name in names],
    )


def _metric(name: str, timeline: Timeline, period: Period) -> MetricView:
    periods = sorted(timeline.periods, key=lambda each: each.start)
    valued = [
        each.values[name]
        for each in periods
        if name in each.values and each.values[name].measured.value is not None
    ]
    estimates = [each.estimates[name] for each in periods if name in each.estimates]
    title = TITLES[name]
    value = timeline.task.business_value if timeline.task else None
    if value is not None and name == BUSINESS_VALUE:
        title = f"{title}, {value.currency}"
    points = [point for each in periods if (point := _point(each, name)) is not None]
    finals = sum(point.is_final for point in points)
    description = f"{len(points)} values, {finals} of them final."
    if points:
        description += f" The newest: {points[-1].text}."
    drawn = timeline_chart(points, period, title=f"{title} over time", description=description)
    newest = valued[-1] if valued else None
    return MetricView(name, title, drawn, newest, estimates[-1] if estimates else None)


def _point(counted: Counted, name: str) -> Point | None:
    """Return what is drawn of a metric in a period; None: nothing is known of it."""
    value, estimate = counted.values.get(name), _shown(counted.estimates.get(name))
    measured = value.measured if value else insufficient()
    if measured.value is None and estimate is None:
        return None
    says = []
    if value is not None and measured.value is not None:
        says.append(f"{_with_range(measured)}, {BASES[value.basis]}")
    if estimate is not None:
        says.append(f"{_with_range(estimate)}, estimated by the scores")
    text = f"{formatting.at(counted.start)} to {formatting.at(counted.end)}, "
    text += f"version {counted.stream.model_version}: "
    return Point(
        counted.start,
        counted.end,
        measured.value,
        measured.low,
        measured.high,
        value is not None and value.basis == "final",
        value.naive if value is not None and value.basis == "weighted" else None,
        measured.baseline,
        text + "; ".join(says),
        None if estimate is None else _ends(estimate),
    )


def _shown(estimate: Estimate | None) -> Measured | None:
    """Return what is shown of an estimate: of one that is withdrawn, nothing."""
    return None if estimate is None or estimate.trust.is_withdrawn else estimate.measured


def _ends(measured: Measured) -> tuple[float, float, float]:
    value = measured.value or 0.0
    low, high = (value if each is None else each for each in (measured.low, measured.high))
    return value, low, high


def _with_range(measured: Measured) -> str:
    text = formatting.number(measured.value or 0.0)
    if measured.low is not None and measured.high is not None:
        text += f" ({formatting.number(measured.low)} to {formatting.number(measured.high)})"
    return text
