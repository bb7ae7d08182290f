"""The content of a model's page, read from the store. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_time
from driftline.domain.names import JOINT, VOLUME
from driftline.domain.streams import PRODUCTION
from driftline.domain.verdicts import Feature, VerdictName, gravest, other_kind
from driftline.errors import NotFoundError
from driftline.store.drops import read_drops
from driftline.store.invalid import read_invalid
from driftline.store.judged import read_cells, read_newest, read_training_runs
from driftline.store.ledger import read_ledger
from driftline.web import formatting
from driftline.web.draw import charts
from driftline.web.draw.charts import Mark
from driftline.web.episodes import read_episodes
from driftline.web.period import Period
from driftline.web.views.stories import gather
from driftline.web.views.streams import (
    REFERENCE_ROWS,
    episode_spans,
    find_span,
    least_complete,
    spans_by_model,
    stream_feature_path,
    stream_of,
    that_count,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from markupsafe import Markup

    from driftline.domain.streams import Stream
    from driftline.store.connection import Connection
    from driftline.store.drops import Drops
    from driftline.store.invalid import InvalidCount
    from driftline.store.judged import JudgedSpan, NewestVerdict, TrainingRun
    from driftline.store.ledger import LedgerLine
    from driftline.web.draw.charts import Span
    from driftline.web.episodes import Episode
    from driftline.web.views.stories import Story
    from driftline.web.views.streams import Choice


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature in a grid.

    Args:
        name: of the feature, with its kind where a number and a text bear it.
        href: its page.
        verdict: of the newest windows; `page` as long as an episode is open.
        training: the same against the training data; None where there is none.
        strip: verdicts over time.
    """

    name: str
    href: str
    verdict: str
    training: str | None
    strip: Markup


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model as its newest windows show it.

    Args:
        name: of the model.
        stream: the version and environment that strips and features show; None before anything is judged.
        period: what strips show; None before anything is judged.
        state: the gravest verdict of its features; `page` as long as an episode is open.
        reason: the verdict's reason why nothing is judged; empty where something is.
        open: what may still go on, the largest effect first.
        settled: what the newest windows still page for, but which was acknowledged or is the new normal.
        past: what is over, the newest first.
        episodes: all of the period, the newest first.
        rows: its features, those that need attention first.
        axis: the time axis above the strips.
        marks: the labels of marks on the strips; None where there are none.
        lines: the completeness of its versions.
        joint: the newest verdicts on all features together.
        invalid: values of the period that broke a rule, the most frequent first.
        complete: the share of events that arrived of the newest longest window; None: not judged.
        drops: what of the version shown could not be logged; None where everything could.
        learning: how far the past weeks are known, as long as the training data alone is judged against;
            else empty.
        reference: what strips compare with.
    """

    name: str
    stream: Stream | None
    period: Period | None
    state: str
    reason: str
    open: Sequence[Story]
    past: Sequence[Story]
    episodes: Sequence[Episode]
    rows: Sequence[FeatureRow]
    axis: Markup | None
    marks: Markup | None
    lines: Sequence[LedgerLine]
    settled: Sequence[Story] = ()
    joint: Sequence[NewestVerdict] = ()
    invalid: Sequence[InvalidCount] = ()
    complete: float | None = None
    drops: Drops | None = None
    learning: str = ""
    reference: str = "production"

    @property
    def line(self) -> LedgerLine | None:
        """The completeness of the version shown; before anything is judged, of the first one."""
        wanted = (line for line in self.lines if self.stream in {None, stream_of(line)})
        return next(wanted, None)

    def named(self, verdict: str) -> str:
        """List the features that have a verdict now."""
        return formatting.listing(
            [formatting.feature_name(row.name) for row in self.rows if row.verdict == verdict]
        )


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version in one environment: what landed, when it was judged, and which run made it."""

    stream: Stream
    line: LedgerLine | None
    span: JudgedSpan | None
    run: TrainingRun | None


def view_model(connection: Connection, name: str, choice: Choice) -> tuple[ModelView, Sequence[VersionRow]]:
    """Return one model and its versions, the newest first.

    Raises:
        NotFoundError: no such model, or not in that version and environment.
    """
    ledger = read_ledger(connection, model_name=name)
    lines = [line for line in ledger if line.environment != REFERENCE_ROWS]
    spans = spans_by_model(connection).get(name, ())
    if not lines and not spans:
        raise NotFoundError(f"no event of a model called {name!r} has landed")
    runs = {run.model_version: run for run in read_training_runs(connection, name)}
    by_stream = {stream_of(line): line for line in lines}
    judged = {span.stream: span for span in spans}
    versions = [
        VersionRow(stream, by_stream.get(stream), judged.get(stream), runs.get(stream.model_version))
        for stream in {**judged, **by_stream}
    ]
    versions.sort(key=lambda row: row.span.last_end if row.span else 0, reverse=True)
    view = _view(connection, name, spans, lines, choice)
    shown = stream_of(view.line) if view.line else view.stream
    drops = (each for each in read_drops(connection, model_name=name) if each.stream == shown)
    return replace(view, drops=next(drops, None)), versions


def _view(
    connection: Connection,
    name: str,
    spans: Sequence[JudgedSpan],
    lines: Sequence[LedgerLine],
    choice: Choice,
) -> ModelView:
    span = find_span(spans, {stream_of(line): line.landed for line in lines}, choice)
    if span is None:
        return ModelView(name, None, None, "learning", "", (), (), (), (), None, None, lines)
    period = Period(span.last_end, choice.days)
    newest_end = max(each.last_end for each in spans)
    episodes = read_episodes(connection, name, period, newest_end=newest_end)
    newest = read_newest(connection, span.stream, span.last_end)
    marks = version_marks(spans, span.stream)
    counting = that_count(newest)
    is_young = any(each.reference != PRODUCTION for each in counting)
    reference = "training" if is_young else choice.reference
    rows = _rows(
        span.stream,
        period,
        marks,
        cells=read_cells(connection, span.stream, period.span, reference=reference),
        episodes=episodes,
        newest=newest,
        reference=reference,
        is_young=is_young,
    )
    stories = gather(episodes)
    still_open = [each for each in stories if each.is_open]
    state = "page" if still_open else gravest([row.verdict for row in rows])
    production = [each for each in newest if each.reference == PRODUCTION]
    reasons = [each.reason for each in counting if each.verdict == state]
    learning = [each.reason for each in production if each.verdict == "learning" and each.feature != VOLUME]
    return ModelView(
        name=name,
        stream=span.stream,
        period=period,
        state=state,
        reason=reasons[-1] if reasons and state in {"learning", "incomplete", "insufficient_data"} else "",
        open=still_open,
        settled=gather(each for each in episodes if each.is_settled and each.until >= newest_end),
        past=[each for each in stories if not each.is_open],
        episodes=episodes,
        rows=rows,
        axis=charts.time_axis(period),
        marks=charts.mark_axis(marks, period),
        lines=lines,
        joint=[each for each in newest if each.feature == JOINT],
        invalid=invalid_of(connection, span.stream, period),
        complete=least_complete(production),
        learning=learning[-1] if learning and is_young else "",
        reference=reference,
    )


def version_marks(spans: Sequence[JudgedSpan], stream: Stream) -> Sequence[Mark]:
    """Return when each version began to serve in a stream's environment, but for the first one."""
    beginnings = sorted(
        (span.first_end - 1, span.stream.model_version)
        for span in spans
        if span.stream.environment == stream.environment
    )
    return [Mark(hour, f"version {version}") for hour, version in beginnings[1:]]


def invalid_of(connection: Connection, stream: Stream, period: Period) -> Sequence[InvalidCount]:
    """Return what was invalid in a stream since a period began, the most frequent first."""
    found = read_invalid(
        connection,
        model_name=stream.model_name,
        model_version=stream.model_version,
        since=hour_time(period.first_hour),
    )
    return [each for each in found if each.environment == stream.environment]


def _rows(
    stream: Stream,
    period: Period,
    marks: Sequence[Mark],
    *,
    cells: Mapping[Feature, Mapping[int, str]],
    episodes: Sequence[Episode],
    newest: Sequence[NewestVerdict],
    reference: str,
    is_young: bool,
) -> Sequence[FeatureRow]:
    now = _newest_by_feature(newest)
    own = [each for each in episodes if each.stream == stream]
    open_now = {Feature(each.feature, each.kind) for each in own if each.is_open}
    settled = {Feature(each.feature, each.kind) for each in own if each.is_settled} - open_now
    rows = []
    features = {*cells, *(feature for feature, _ in now)}
    for feature in features:
        name = feature.name
        if Feature(name, other_kind(feature.kind)) in features:
            name = f"{name} ({formatting.KIND_LABELS[feature.kind]})"
        spans = episode_spans(episodes, feature, stream, reference)
        training = _shown(now, feature, "training", settled)
        against = training if is_young and training else _shown(now, feature, "production", settled)
        verdict = "page" if feature in open_now else gravest(against)
        label = f"{formatting.feature_name(name)}: {formatting.VERDICT_LABELS[verdict]}. " + _episodes_label(
            spans
        )
        rows.append(
            FeatureRow(
                name=name,
                href=stream_feature_path(stream, feature.name, kind=feature.kind, days=period.days),
                verdict=verdict,
                training=gravest(training) if training and not is_young else None,
                strip=charts.strip(cells.get(feature, {}), period, spans, marks, label=label),
            )
        )
    return sorted(rows, key=lambda row: (-VerdictName(row.verdict).severity, row.name))


def _shown(
    now: Mapping[tuple[Feature, str], Sequence[str]],
    feature: Feature,
    reference: str,
    settled: Collection[Feature],
) -> Sequence[str]:
    """Return a feature's newest verdicts as they are shown: what is settled is ok."""
    return [
        "ok" if verdict == "page" and feature in settled else verdict
        for verdict in now.get((feature, reference), ())
    ]


def _newest_by_feature(newest: Sequence[NewestVerdict]) -> Mapping[tuple[Feature, str], Sequence[str]]:
    found: dict[tuple[Feature, str], list[str]] = {}
    for each in newest:
        found.setdefault((Feature(each.feature, each.kind), each.reference), []).append(each.verdict)
    return found


def _episodes_label(spans: Sequence[Span]) -> str:
    if not spans:
        return "No incident in this period."
    texts = [f"{formatting.at(span.first)} to {formatting.at(span.end)}" for span in spans]
    return f"Incidents: {formatting.listing(texts)}."
