"""What the drift worker exports of what it holds in memory: the newest verdicts of what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.domain.incidents import settled_features
from driftline.domain.streams import PRODUCTION
from driftline.domain.verdicts import Feature, gravest
from driftline.drift.service.metrics import EVALUATED, MODEL, SCORE, VERDICT
from driftline.store.incidents import SERVED_HOURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from driftline.domain.incidents import Incident
    from driftline.domain.streams import Stream
    from driftline.domain.verdicts import Verdict
    from driftline.drift.settings import DriftSettings
    from driftline.metrics import Metrics
    from driftline.monitors import Monitors
    from driftline.store.profiles import StreamSpan

_ASIDE = frozenset({"shadow", "canary"})
_TEAM = "team"


def serving(streams: Iterable[Stream]) -> set[Stream]:
    """Return those that answer in production.

    Of a model none of whose streams is called production, whatever is no shadow or canary serves: a service
    in another language may call it anything.
    """
    known = set(streams)
    productive = {stream.model_name for stream in known if stream.environment == PRODUCTION}
    return {
        stream
        for stream in known
        if (
            stream.environment == PRODUCTION
            if stream.model_name in productive
            else stream.environment not in _ASIDE
        )
    }


def served_streams(spans: Sequence[StreamSpan], newest_hour: Mapping[str, int]) -> Sequence[Stream]:
    """Return streams in production that had an event within a day of their model's newest.

    Args:
        spans: of all streams.
        newest_hour: of each model, hours since the Unix epoch.
    """
    productive = serving(span.stream for span in spans)
    return [
        span.stream
        for span in spans
        if span.rows
        and span.stream in productive
        and span.last_hour > newest_hour[span.stream.model_name] - SERVED_HOURS
    ]


def export_verdicts(
    metrics: Metrics, latest: Mapping[Stream, Sequence[Verdict]], incidents: Sequence[Incident] = ()
) -> None:
    """Export the verdicts on the windows that ended last, and no others.

    Args:
        metrics: of this process.
        latest: these verdicts.
        incidents: as they are now: what somebody called noise or accepted pages no more.
    """
    scores: dict[tuple[str, ...], float] = {}
    found: dict[tuple[str, ...], list[str]] = {}
    for stream, given in latest.items():
        scores.update(_scores(stream, given))
        for labels, verdict in _as_settled(stream, given, incidents):
            found.setdefault(labels, []).append(verdict)
    verdicts: dict[tuple[str, ...], float] = {}
    for labels, names in found.items():
        verdicts.update({(*labels, "page"): 0.0, (*labels, "warn"): 0.0, (*labels, gravest(names)): 1.0})
    metrics.replace(SCORE, scores)
    metrics.replace(VERDICT, verdicts)


def by_version(
    values: Iterable[tuple[Stream, float]], merged: Callable[[float, float], float]
) -> Mapping[tuple[str, ...], float]:
    """Return a number for each model version, by the metrics' labels; several environments are merged."""
    found: dict[tuple[str, ...], float] = {}
    for stream, value in values:
        names = (stream.model_name, stream.model_version)
        found[names] = merged(found[names], value) if names in found else value
    return found


def export_evaluated(metrics: Metrics, next_hour: Mapping[Stream, int]) -> None:
    """Export how far streams are judged, hours since the Unix epoch."""
    judged = ((stream, hour * 3600.0) for stream, hour in next_hour.items())
    metrics.replace(EVALUATED, by_version(judged, min))


def export_teams(
    metrics: Metrics,
    served: Sequence[Stream],
    monitors: Monitors[DriftSettings],
    projects: Mapping[str, str],
) -> None:
    """Export whose each model is, and of which project, as far as that is known."""
    names = {stream.model_name for stream in served}
    found: dict[tuple[str, ...], float] = {
        (name, monitors.of(name).labels.get(_TEAM, ""), projects.get(name, "")): 1.0 for name in names
    }
    metrics.replace(MODEL, found)


def _scores(stream: Stream, verdicts: Sequence[Verdict]) -> Mapping[tuple[str, ...], float]:
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


def _as_settled(
    stream: Stream, verdicts: Sequence[Verdict], incidents: Sequence[Incident]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield verdicts with the labels of their feature; what was called noise or accepted is ok."""
    end = max((verdict.window_end for verdict in verdicts), default=0)
    settled = settled_features(incidents, stream, end)
    for verdict in verdicts:
        is_settled = verdict.verdict == "page" and Feature(verdict.feature, verdict.kind) in settled
        names = (stream.model_name, stream.model_version, verdict.feature, verdict.kind)
        yield names, "ok" if is_settled else verdict.verdict
