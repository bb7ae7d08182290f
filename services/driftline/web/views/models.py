"""What stands on the models' pages, gathered from the store. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from driftline.errors import NotFoundError
from driftline.store.ledger import read_ledger
from driftline.store.profiles import Stream
from driftline.web import words
from driftline.web.addresses import feature_path
from driftline.web.draw import charts
from driftline.web.draw.charts import Span
from driftline.web.period import DEFAULT_DAYS, Period
from driftline.web.reads.verdicts import (
    GRAVITY,
    QUIET_HOURS,
    gravest,
    read_cells,
    read_episodes,
    read_judged,
    read_newest,
    read_runs,
)
from driftline.web.views.incidents import gather

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.client import Client
    from markupsafe import Markup

    from driftline.store.ledger import LedgerLine
    from driftline.web.reads.verdicts import Episode, JudgedSpan, NewestVerdict, TrainingRun
    from driftline.web.views.incidents import Incident

_ENVIRONMENT = "production"
_REFERENCE_ROWS = "reference"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a link asks to be shown.

    Args:
        days: length of the period.
        version: of the model; None: the one that serves now.
        environment: None: production, where it is judged.
        reference: what strips compare with: production or training.
    """

    days: int
    version: str | None = None
    environment: str | None = None
    reference: str = "production"


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature in a grid.

    Args:
        name: of the feature.
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
        reason: why nothing is judged, in the verdict's own words; empty where something is.
        open: what may still go on, the largest effect first.
        past: what is over, the newest first.
        episodes: all of the period, the newest first.
        rows: its features, what needs somebody first.
        axis: the time axis below the strips.
        lines: the completeness of its versions.
    """

    name: str
    stream: Stream | None
    period: Period | None
    state: str
    reason: str
    open: Sequence[Incident]
    past: Sequence[Incident]
    episodes: Sequence[Episode]
    rows: Sequence[FeatureRow]
    axis: Markup | None
    lines: Sequence[LedgerLine]

    @property
    def line(self) -> LedgerLine | None:
        """The completeness of the version shown; before anything is judged, of the first one."""
        wanted = (line for line in self.lines if self.stream in {None, _stream_of(line)})
        return next(wanted, None)

    def named(self, verdict: str) -> str:
        """List the features that have a verdict now."""
        return words.listing([row.name for row in self.rows if row.verdict == verdict])


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version in one environment: what landed, when it was judged, and which run made it."""

    stream: Stream
    line: LedgerLine | None
    span: JudgedSpan | None
    run: TrainingRun | None


def view_models(client: Client, choice: Choice) -> Sequence[ModelView]:
    """Return all models, those that drifted first."""
    lines, spans = _lines_by_model(client), _spans_by_model(client)
    views = [
        _view(client, name, spans.get(name, ()), lines.get(name, ()), choice)
        for name in sorted({*lines, *spans})
    ]
    return sorted(views, key=lambda view: (GRAVITY.index(view.state), view.name))


def view_model(client: Client, name: str, choice: Choice) -> tuple[ModelView, Sequence[VersionRow]]:
    """Return one model and its versions, the newest first.

    Raises:
        NotFoundError: no such model, or not in that version and environment.
    """
    lines, spans = _lines_by_model(client).get(name, ()), _spans_by_model(client).get(name, ())
    if not lines and not spans:
        raise NotFoundError(f"no event of a model called {name!r} has landed")
    runs = {run.model_version: run for run in read_runs(client, name)}
    by_stream = {_stream_of(line): line for line in lines}
    judged = {span.stream: span for span in spans}
    versions = [
        VersionRow(stream, by_stream.get(stream), judged.get(stream), runs.get(stream.model_version))
        for stream in {**judged, **by_stream}
    ]
    versions.sort(key=lambda row: row.span.last_end if row.span else 0, reverse=True)
    return _view(client, name, spans, lines, choice), versions


def find_span(spans: Sequence[JudgedSpan], lines: Sequence[LedgerLine], choice: Choice) -> JudgedSpan | None:
    """Return the stream that is shown: of those asked for and still judged, the one with most events.

    Raises:
        NotFoundError: a version or environment was asked for that was never judged.
    """
    asked = [
        span
        for span in spans
        if choice.version in {None, span.stream.model_version}
        and choice.environment in {None, span.stream.environment}
    ]
    if not asked:
        if choice.version is None and choice.environment is None:
            return None
        raise NotFoundError(
            f"no window of version {choice.version or 'any'} "
            f"in {choice.environment or 'any environment'} is judged"
        )
    served = [span for span in asked if span.stream.environment == _ENVIRONMENT] or asked
    newest = max(span.last_end for span in served)
    landed = {_stream_of(line): line.landed for line in lines}
    return max(
        (span for span in served if newest - span.last_end < QUIET_HOURS),
        key=lambda span: (landed.get(span.stream, 0), span.stream.model_version, span.stream.environment),
    )


def stream_feature_path(stream: Stream, feature: str, *, days: int, at: int | None = None) -> str:
    """Return the address of a feature's page for one stream.

    Args:
        stream: whose feature.
        feature: its name.
        days: length of the period shown.
        at: the hour behind the window shown; None: the newest.
    """
    return feature_path(
        stream.model_name,
        feature,
        version=stream.model_version,
        environment=None if stream.environment == _ENVIRONMENT else stream.environment,
        days=None if days == DEFAULT_DAYS else days,
        at=None if at is None else words.iso(at),
    )


def episode_path(episode: Episode, *, days: int) -> str:
    """Return the address of a feature's page as an episode left it: now, or as its last window ended."""
    at = None if episode.is_open else episode.until
    return stream_feature_path(episode.stream, episode.feature, days=days, at=at)


def find_stream(client: Client, name: str, choice: Choice) -> tuple[JudgedSpan, int]:
    """Return the stream of a model that is shown, and when the model's newest judged window ended, in hours.

    Raises:
        NotFoundError: nothing of it is judged.
    """
    spans = _spans_by_model(client).get(name, ())
    # The ledger only settles which of several versions serves most.
    lines = _lines_by_model(client).get(name, ()) if len(spans) > 1 else ()
    span = find_span(spans, lines, choice)
    if span is None:
        raise NotFoundError(f"no window of a model called {name!r} is judged")
    return span, max(each.last_end for each in spans)


def episode_spans(
    episodes: Sequence[Episode], feature: str, stream: Stream, reference: str
) -> Sequence[Span]:
    """Return when the episodes of one feature went on, for a chart of one stream and reference."""
    return [
        Span(episode.since, episode.until)
        for episode in episodes
        if (episode.feature, episode.stream, episode.reference) == (feature, stream, reference)
    ]


def _view(
    client: Client, name: str, spans: Sequence[JudgedSpan], lines: Sequence[LedgerLine], choice: Choice
) -> ModelView:
    span = find_span(spans, lines, choice)
    if span is None:
        return ModelView(name, None, None, "learning", "", (), (), (), (), None, lines)
    period = Period(span.last_end, choice.days)
    newest_end = max(each.last_end for each in spans)
    episodes = read_episodes(client, name, period, newest_end=newest_end)
    newest = read_newest(client, span.stream, span.last_end)
    rows = _rows(
        span.stream,
        period,
        cells=read_cells(client, span.stream, period, reference=choice.reference),
        episodes=episodes,
        newest=newest,
        reference=choice.reference,
    )
    incidents = gather(episodes)
    still_open = [each for each in incidents if each.is_open]
    state = "page" if still_open else gravest([row.verdict for row in rows])
    reasons = [each.reason for each in newest if each.reference == _ENVIRONMENT and each.verdict == state]
    return ModelView(
        name=name,
        stream=span.stream,
        period=period,
        state=state,
        reason=reasons[-1] if reasons and state in {"learning", "incomplete", "insufficient_data"} else "",
        open=still_open,
        past=[each for each in incidents if not each.is_open],
        episodes=episodes,
        rows=rows,
        axis=charts.time_axis(period),
        lines=lines,
    )


def _rows(
    stream: Stream,
    period: Period,
    *,
    cells: Mapping[str, Mapping[int, str]],
    episodes: Sequence[Episode],
    newest: Sequence[NewestVerdict],
    reference: str,
) -> Sequence[FeatureRow]:
    now = _newest_by_feature(newest)
    open_now = {each.feature for each in episodes if each.is_open and each.stream == stream}
    rows = []
    for name in {*cells, *(feature for feature, _ in now)}:
        spans = episode_spans(episodes, name, stream, reference)
        verdict = "page" if name in open_now else gravest(now.get((name, "production"), ()))
        training = now.get((name, "training"))
        label = f"{name}: {words.VERDICT_WORDS[verdict]}. " + _episodes_label(spans)
        rows.append(
            FeatureRow(
                name=name,
                href=stream_feature_path(stream, name, days=period.days),
                verdict=verdict,
                training=gravest(training) if training else None,
                strip=charts.strip(cells.get(name, {}), period, spans, label=label),
            )
        )
    return sorted(rows, key=lambda row: (GRAVITY.index(row.verdict), row.name))


def _newest_by_feature(newest: Sequence[NewestVerdict]) -> Mapping[tuple[str, str], Sequence[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for each in newest:
        found.setdefault((each.feature, each.reference), []).append(each.verdict)
    return found


def _episodes_label(spans: Sequence[Span]) -> str:
    if not spans:
        return "No page in this period."
    told = [f"{words.at(span.first)} to {words.at(span.end)}" for span in spans]
    return f"Pages: {words.listing(told)}."


def _lines_by_model(client: Client) -> Mapping[str, Sequence[LedgerLine]]:
    """Return the ledger by model, without the rows of training references, which nobody serves."""
    lines = [line for line in read_ledger(client) if line.environment != _REFERENCE_ROWS]
    return {name: list(group) for name, group in groupby(lines, key=lambda line: line.model_name)}


def _spans_by_model(client: Client) -> Mapping[str, Sequence[JudgedSpan]]:
    spans = sorted(read_judged(client), key=lambda span: span.stream.model_name)
    return {name: list(group) for name, group in groupby(spans, key=lambda span: span.stream.model_name)}


def _stream_of(line: LedgerLine) -> Stream:
    return Stream(line.model_name, line.model_version, line.environment)
