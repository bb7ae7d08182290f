"""What the drift worker exports: the newest verdicts of what is served, and how complete it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.drift.service.metrics import COMPLETENESS, EVALUATED, PAGES, SCORE, VERDICT
from driftline.store.profiles import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.drift.pages.page import Page
    from driftline.drift.verdict import Verdict
    from driftline.metrics import Metrics
    from driftline.store.ledger import LedgerLine
    from driftline.store.profiles import StreamSpan

_SERVED_HOURS = 24
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
        if span.stream.environment == "production"
        and span.last_hour > newest_hour[span.stream.model_name] - _SERVED_HOURS
    ]


def export_verdicts(metrics: Metrics, latest: Mapping[Stream, Sequence[Verdict]]) -> None:
    """Export the verdicts on the windows that ended last, and no others."""
    scores: dict[tuple[str, ...], float] = {}
    verdicts: dict[tuple[str, ...], float] = {}
    evaluated: dict[tuple[str, ...], float] = {}
    for stream, given in latest.items():
        if given:
            scores.update(_scores(stream, given))
            verdicts.update(_states(stream, given))
            evaluated[stream.model_name, stream.model_version] = given[0].window_end * 3600.0
    metrics.replace(SCORE, scores)
    metrics.replace(VERDICT, verdicts)
    metrics.replace(EVALUATED, evaluated)


def export_pages(metrics: Metrics, pages: Mapping[Stream, Sequence[Page]]) -> None:
    """Export since when each open page lasts, under its gravest finding; not those that were called noise."""
    since: dict[tuple[str, ...], float] = {}
    for stream, known in pages.items():
        for page in known:
            if page.state == "open" and page.word != "noise":
                first = page.findings[0]
                key = (stream.model_name, stream.model_version, page.page_id, first.segment, first.feature)
                since[key] = page.since * 3600.0
    metrics.replace(PAGES, since)


def export_completeness(metrics: Metrics, lines: Sequence[LedgerLine], served: Sequence[Stream]) -> None:
    """Export which share of what was sent has landed."""
    metrics.replace(
        COMPLETENESS,
        {
            (line.model_name, line.model_version): line.ratio
            for line in lines
            if Stream(line.model_name, line.model_version, line.environment) in served
        },
    )


def _scores(stream: Stream, verdicts: Sequence[Verdict]) -> Mapping[tuple[str, ...], float]:
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


def _states(stream: Stream, verdicts: Sequence[Verdict]) -> Mapping[tuple[str, ...], float]:
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
