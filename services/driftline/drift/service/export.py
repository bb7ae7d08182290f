"""What the drift worker exports of what it holds in memory: the newest verdicts of what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.domain.verdicts import gravest
from driftline.drift.service.metrics import EVALUATED, MODEL, SCORE, VERDICT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.domain.streams import Stream
    from driftline.drift.service.watch import StreamWatch
    from driftline.drift.settings import DriftSettings
    from driftline.drift.verdict import Verdict
    from driftline.metrics import Metrics
    from driftline.monitors import Monitors
    from driftline.store.profiles import StreamSpan
    from driftline.store.verdicts import StoredVerdict

    Told = Verdict | StoredVerdict

_SERVED_HOURS = 24
_TEAM = "team"


def served_streams(spans: Sequence[StreamSpan], newest_hour: Mapping[str, int]) -> Sequence[Stream]:
    """Return streams in production that had an event within a day of their model's newest.

    Args:
        spans: of all streams.
        newest_hour: of each model, hours since the Unix epoch.
    """
    return [
        span.stream
        for span in spans
        if span.stream.environment == "production"
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


def export_evaluated(metrics: Metrics, watches: Mapping[Stream, StreamWatch]) -> None:
    """Export how far streams are judged."""
    metrics.replace(
        EVALUATED,
        {
            (stream.model_name, stream.model_version): watch.next_hour * 3600.0
            for stream, watch in watches.items()
        },
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
            key = (stream.model_name, stream.model_version, verdict.feature, verdict.kind)
            numbers = {"effect": verdict.effect, **verdict.statistics}
            scores.update({(*key, name): number for name, number in numbers.items() if number is not None})
    return scores


def _states(stream: Stream, verdicts: Sequence[Told]) -> Mapping[tuple[str, ...], float]:
    """Return the gravest verdict of each feature, by the labels of the metric."""
    given: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        given.setdefault((verdict.feature, verdict.kind), []).append(verdict.verdict)
    states: dict[tuple[str, ...], float] = {}
    for feature, names in given.items():
        name = gravest(names)
        key = (stream.model_name, stream.model_version, *feature)
        states.update({(*key, "page"): 0.0, (*key, "warn"): 0.0, (*key, name): 1.0})
    return states
