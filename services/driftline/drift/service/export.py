"""What the drift worker exports of what it holds in memory: the newest verdicts of what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.drift.service.metrics import EVALUATED, MODEL, SCORE, VERDICT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.drift.settings import DriftSettings
    from driftline.drift.verdict import Verdict
    from driftline.metrics import Metrics
    from driftline.monitors import Monitors
    from driftline.profiles import Stream
    from driftline.store.profiles import StreamSpan
    from driftline.store.verdicts import StoredVerdict

    Told = Verdict | StoredVerdict

_SERVED_HOURS = 24
_TEAM = "team"
_GRAVITY = ("page", "warn", "incomplete", "insufficient_data", "learning", "ok")


def served_streams(spans: Sequence[StreamSpan], newest_hour: Mapping[str, int]) -> Sequence[Stream]:
    """Return streams in production that had an event within a day of their model's newest.

    Args:
        spans: of all streams.
        newest_hour: of each model, hours since the Unix epoch.
    """
    return [
        span.stream
        for span in spans
        if span.rows
        and span.stream.environment == "production"
        and span.last_hour > newest_hour[span.stream.model_name] - _SERVED_HOURS
    ]


def export_verdicts(metrics: Metrics, latest: Mapping[Stream, Sequence[Told]]) -> None:
    """Export the verdicts on the windows that ended last, and no others."""
    scores: dict[tuple[str, ...], float] = {}
    verdicts: dict[tuple[str, ...], float] = {}
    for stream, given in latest.items():
        scores.update(_scores(stream, given))
        verdicts.update(_states(stream, given))
    metrics.replace(SCORE, scores)
    metrics.replace(VERDICT, verdicts)


def export_evaluated(metrics: Metrics, next_hour: Mapping[Stream, int]) -> None:
    """Export how far streams are judged, hours since the Unix epoch."""
    metrics.replace(
        EVALUATED,
        {(stream.model_name, stream.model_version): hour * 3600.0 for stream, hour in next_hour.items()},
    )


def export_teams(metrics: Metrics, served: Sequence[Stream], monitors: Monitors[DriftSettings]) -> None:
    """Export whose each model is."""
    names = {stream.model_name for stream in served}
    metrics.replace(MODEL, {(name, monitors.of(name).labels.get(_TEAM, "")): 1.0 for name in names})


def _scores(stream: Stream, verdicts: Sequence[Told]) -> Mapping[tuple[str, ...], float]:
    """Return the scores of the longest windows against production, by the labels of the metric."""
    production = [verdict for verdict in verdicts if verdict.reference == "production"]
    longest = max((verdict.scale_hours for verdict in production), default=0)
    scores: dict[tuple[str, ...], float] = {}
    for verdict in production:
        if verdict.scale_hours == longest:
            key = (stream.model_name, stream.model_version, verdict.feature)
            numbers = {"effect": verdict.effect, **verdict.statistics}
            scores.update({(*key, name): number for name, number in numbers.items() if number is not None})
    return scores


def _states(stream: Stream, verdicts: Sequence[Told]) -> Mapping[tuple[str, ...], float]:
    """Return the gravest verdict of each feature, by the labels of the metric."""
    gravest: dict[str, str] = {}
    for verdict in verdicts:
        known = gravest.get(verdict.feature, _GRAVITY[-1])
        gravest[verdict.feature] = min(known, verdict.verdict, key=_GRAVITY.index)
    states: dict[tuple[str, ...], float] = {}
    for feature, name in gravest.items():
        key = (stream.model_name, stream.model_version, feature)
        states.update({(*key, "page"): 0.0, (*key, "warn"): 0.0, (*key, name): 1.0})
    return states
