"""What the pages ask of verdicts. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.store.pages import read_acknowledgements, read_pages
from driftline.store.profiles import Stream
from driftline.store.verdicts import hour_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.web.period import Period

GRAVITY = ("page", "warn", "incomplete", "learning", "ok", "insufficient_data")
"""Of several verdicts on the same feature and time, the first in this order is shown.

A window too short to judge (at night, say) is no news where a longer one was judged.
"""

# Rows of one key share a month, so that months need not be merged with each other.
_FINAL = {"do_not_merge_across_partitions_select_final": 1}

_STREAM = (
    "model_name = {model:String} AND model_version = {version:String} AND environment = {environment:String} "
    "AND segment = ''"
)
_ENDS = (
    "window_end > toDateTime({first:UInt32} * 3600, 'UTC') "
    "AND window_end <= toDateTime({end:UInt32} * 3600, 'UTC')"
)
_END_HOUR = "intDiv(toUnixTimestamp(window_end), 3600)"

_JUDGED = f"""
SELECT model_name, model_version, environment, min({_END_HOUR}), max({_END_HOUR})
FROM drift_verdicts GROUP BY model_name, model_version, environment
SETTINGS optimize_aggregation_in_order = 1
"""

# Only few windows page: they are found first, so that only they are read in full and merged.
_EPISODES = f"""
SELECT model_version, environment, segment, feature, reference, episode_id,
    intDiv(toUnixTimestamp(min(episode_start)), 3600) AS since, max({_END_HOUR}) AS until,
    argMax(
        (channel, effect, observed, expected, reason, scale_hours), (coalesce(z, inf), window_end)
    ) AS surest
FROM drift_verdicts FINAL
WHERE model_name = {{model:String}} AND verdict = 'page' AND {_ENDS} AND (feature, window_end) IN
(
    SELECT feature, window_end FROM drift_verdicts
    WHERE model_name = {{model:String}} AND verdict = 'page' AND {_ENDS}
)
GROUP BY model_version, environment, segment, feature, reference, episode_id
ORDER BY since DESC, abs(surest.2) DESC, feature
"""

_CELLS = f"""
SELECT feature AS name, intDiv({_END_HOUR} - 1 - {{first:UInt32}}, {{cell:UInt32}}) AS cell, verdict
FROM drift_verdicts FINAL
WHERE {_STREAM} AND reference = {{reference:String}} AND {_ENDS}
GROUP BY name, cell, verdict
"""

_EFFECTS = f"""
SELECT intDiv({_END_HOUR} - 1 - {{first:UInt32}}, {{cell:UInt32}}) AS cell,
    max(abs(effect))
FROM drift_verdicts FINAL
WHERE {_STREAM} AND feature = {{feature:String}} AND reference = {{reference:String}}
    AND scale_hours = {{scale:UInt16}} AND verdict IN ('page', 'warn', 'ok')
    AND effect IS NOT NULL AND {_ENDS}
GROUP BY cell ORDER BY cell
"""

_NEWEST = f"""
SELECT toString(feature) AS name, toString(kind), toString(reference) AS against, scale_hours,
    toString(verdict), channel, effect, effect_low, effect_high, detectable_effect, sample_size,
    reference_size, completeness, statistics, reason
FROM drift_verdicts FINAL
WHERE {_STREAM} AND window_end = toDateTime({{end:UInt32}} * 3600, 'UTC')
ORDER BY name, against, scale_hours
"""

_RUNS = """
SELECT model_version, training_run_id, git_commit, git_dirty, artifact_uri FROM training_runs FINAL
WHERE model_name = {model:String} ORDER BY registered_time
"""


@dataclass(frozen=True, slots=True)
class JudgedSpan:
    """A stream and the windows judged of it.

    Args:
        stream: which.
        first_end: when its oldest window ended, in hours.
        last_end: when its newest window ended, in hours.
    """

    stream: Stream
    first_end: int
    last_end: int


@dataclass(frozen=True, slots=True)
class Episode:
    """One page of one feature, and what followed within its quiet hours. The evidence is its surest window's.

    Args:
        stream: of which model version and environment.
        segment: of which part of the traffic; empty: of all of it.
        feature: its name.
        reference: training or production.
        episode_id: the same whenever the same hours are judged again.
        since: its first hour.
        until: when its last window ended, in hours.
        channel: the share that moved most, in the judge's words.
        effect: observed less expected share.
        observed: the share seen.
        expected: the share expected.
        reason: the verdict's own sentence.
        scale_hours: length of the window that gave the evidence.
        is_open: whether it may still go on, and is not the new normal.
        page_id: of the page that it belongs to; empty: of none that is stored.
        word: what was said of that page last: real, noise or accept; empty: nothing.
    """

    stream: Stream
    segment: str
    feature: str
    reference: str
    episode_id: str
    since: int
    until: int
    channel: str
    effect: float
    observed: float
    expected: float
    reason: str
    scale_hours: int
    is_open: bool
    page_id: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class NewestVerdict:
    """What the newest window of one scale said; the columns are documented in ``schemas/clickhouse``."""

    feature: str
    kind: str
    reference: str
    scale_hours: int
    verdict: str
    channel: str | None
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    detectable_effect: float | None
    sample_size: int
    reference_size: int
    completeness: float
    statistics: Mapping[str, float]
    reason: str


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """Which run made a model version, as far as it was registered."""

    model_version: str
    training_run_id: str
    git_commit: str | None
    git_dirty: bool | None
    artifact_uri: str | None


QUIET_HOURS = 24
"""An episode is over once so many hours were judged without a page."""


def read_judged(client: Client) -> Sequence[JudgedSpan]:
    """Return every stream with verdicts."""
    rows = client.query(_JUDGED).result_rows
    return [JudgedSpan(Stream(*row[:3]), int(row[3]), int(row[4])) for row in rows]


def read_episodes(client: Client, model_name: str, period: Period, *, newest_end: int) -> Sequence[Episode]:
    """Return a model's episodes that paged within a period, the newest first.

    Args:
        client: of the store.
        model_name: the model, with all its versions and environments.
        period: in which windows have to end.
        newest_end: when the model's newest judged window ended, in hours; it decides what is open.
    """
    bound = {"model": model_name, "first": period.first_hour, "end": period.end_hour}
    rows = client.query(_EPISODES, parameters=bound, settings=_FINAL).result_rows
    pages = _pages_by_episode(client, model_name, period)
    return [
        Episode(
            stream=Stream(model_name, version, environment),
            segment=segment,
            feature=feature,
            reference=reference,
            episode_id=episode_id or "",
            since=int(since),
            until=int(until),
            channel=surest[0] or "",
            effect=surest[1] or 0.0,
            observed=surest[2] or 0.0,
            expected=surest[3] or 0.0,
            reason=surest[4],
            scale_hours=surest[5],
            is_open=newest_end - until < QUIET_HOURS and not page.is_accepted,
            page_id=page.page_id,
            word=page.word,
        )
        for version, environment, segment, feature, reference, episode_id, since, until, surest in rows
        for page in (pages.get(episode_id or "", _NO_PAGE),)
    ]


@dataclass(frozen=True, slots=True)
class _PageOf:
    page_id: str
    word: str
    is_accepted: bool


_NO_PAGE = _PageOf("", "", is_accepted=False)


def _pages_by_episode(client: Client, model_name: str, period: Period) -> Mapping[str, _PageOf]:
    """Return the pages of a model that paged within a period, by the episodes that they gather."""
    found = read_pages(client, model_name=model_name, since=hour_time(period.first_hour))
    words = {said.page_id: said.word for said in read_acknowledgements(client)} if found else {}
    return {
        episode_id: _PageOf(page.page_id, words.get(page.page_id, page.word), page.state == "accepted")
        for page in found
        for finding in page.findings
        for episode_id in finding.episode_ids
        if page.state != "withdrawn"
    }


def read_cells(
    client: Client, stream: Stream, period: Period, *, reference: str, feature: str | None = None
) -> Mapping[str, Mapping[int, str]]:
    """Return the gravest verdict of all scales by feature and cell; cells without verdicts are left out.

    Args:
        client: of the store.
        stream: whose.
        period: whose cells.
        reference: training or production.
        feature: only this one; None: all.
    """
    bound = {**_bound(stream, period), "reference": reference, "feature": feature}
    query = (
        _CELLS.replace("GROUP BY", "AND feature = {feature:String} GROUP BY")
        if feature is not None
        else _CELLS
    )
    found: dict[str, dict[int, str]] = {}
    for name, cell, verdict in client.query(query, parameters=bound, settings=_FINAL).result_rows:
        cells = found.setdefault(name, {})
        known = cells.get(cell)
        cells[cell] = verdict if known is None else gravest([known, verdict])
    return found


def read_effects(
    client: Client, stream: Stream, feature: str, period: Period, *, reference: str, scale_hours: int
) -> Mapping[int, float]:
    """Return, by cell, the largest effect of one scale's windows: a share of rows, without sign."""
    bound = {**_bound(stream, period), "feature": feature, "reference": reference, "scale": scale_hours}
    rows = client.query(_EFFECTS, parameters=bound, settings=_FINAL).result_rows
    return {int(cell): float(effect) for cell, effect in rows}


def read_newest(client: Client, stream: Stream, end_hour: int) -> Sequence[NewestVerdict]:
    """Return the verdicts of all windows that ended at an hour, by feature, reference and scale."""
    bound: dict[str, Any] = {
        "model": stream.model_name,
        "version": stream.model_version,
        "environment": stream.environment,
        "end": end_hour,
    }
    rows = client.query(_NEWEST, parameters=bound, settings=_FINAL).result_rows
    return [NewestVerdict(*row) for row in rows]


def read_runs(client: Client, model_name: str) -> Sequence[TrainingRun]:
    """Return a model's registered training runs, the oldest first."""
    rows = client.query(_RUNS, parameters={"model": model_name}).result_rows
    return [TrainingRun(*row) for row in rows]


def gravest(verdicts: Iterable[str]) -> str:
    """Return the verdict that is shown for several; `insufficient_data` where there is none."""
    return min(verdicts, key=GRAVITY.index, default=GRAVITY[-1])


def _bound(stream: Stream, period: Period) -> dict[str, Any]:
    return {
        "model": stream.model_name,
        "version": stream.model_version,
        "environment": stream.environment,
        "first": period.first_hour,
        "end": period.end_hour,
        "cell": period.cell_hours,
    }
