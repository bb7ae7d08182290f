"""The drift worker: judges each hour of each stream once it has closed, and says so.

An hour has closed when the model has an event of a later hour. The worker keeps one judge per stream in
memory; after a restart it is built again from the stored profiles and page verdicts.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError

from driftline.drift.judge import Judge
from driftline.drift.metrics import COMPLETENESS, EVALUATED, FAILURES, JUDGED, SCORE, VERDICT
from driftline.drift.settings import DriftSettings
from driftline.drift.verdict import Verdict
from driftline.errors import StoreError
from driftline.store import ready_client
from driftline.store.grids import is_grid_due, is_reference_complete, read_grids
from driftline.store.ledger import missing_by_hour, read_ledger
from driftline.store.profiles import Stream, read_hours, read_streams
from driftline.store.verdicts import StoredVerdict, hour_time, last_judged_hour, write_verdicts

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.metrics import Metrics
    from driftline.profiles import Grid, HourProfile
    from driftline.store.connect import Store
    from driftline.store.profiles import Hours, StreamSpan

_logger = logging.getLogger(__name__)

REFERENCE = "reference"
_POLL_S = 1.0
_CHUNK_HOURS = 7 * 24
_SERVED_HOURS = 24
_GRAVITY = ("page", "warn", "incomplete", "insufficient_data", "learning", "ok")


@dataclass(slots=True)
class _Watched:
    """A stream's judge, what it was built with, and the next hour to be judged."""

    judge: Judge
    grids: Mapping[str, Grid]
    reference_rows: int
    next_hour: int


class DriftWorker:
    """Judges every stream of a store. For one thread.

    Args:
        store: profiles come from it, verdicts go to it.
        metrics: a process's metrics, with the worker's table.
        monotonic: a clock in seconds.
        settings: how to judge.
        reference_patience_s: how long a stream waits for reference rows that its run announced.
    """

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        monotonic: Callable[[], float],
        settings: DriftSettings | None = None,
        reference_patience_s: float = 600.0,
    ) -> None:
        self._store = store
        self._client = ready_client(store)
        self._metrics = metrics
        self._monotonic = monotonic
        self._settings = settings or DriftSettings()
        self._patience_s = reference_patience_s
        self._watched: dict[Stream, _Watched] = {}
        self._waiting_since_s: dict[str, float] = {}
        self._latest: dict[Stream, Sequence[Verdict]] = {}
        self._reference_rows: dict[Stream, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Judge until ``stop`` is set. While the store is away, waits and tries again."""
        has_failed = False
        while not stop.is_set():
            try:
                if has_failed:  # An embedded store may have another owner now.
                    self._client.close()
                    self._client = ready_client(self._store)
                judged = self.watch_once()
                has_failed = False
            except (StoreError, ClickHouseError) as error:
                has_failed = True
                self._metrics.count(FAILURES)
                _logger.warning("judging failed, trying again: %s", error)
                judged = 0
            if not judged:
                stop.wait(_POLL_S)

    def watch_once(self) -> int:
        """Judge every hour that has closed and is not judged yet; return how many verdicts were given.

        Raises:
            StoreError: the store is away.
        """
        spans = read_streams(self._client)
        judged = [span for span in spans if span.stream.environment != REFERENCE]
        newest_hour: dict[str, int] = {}
        for span in judged:
            name = span.stream.model_name
            newest_hour[name] = max(newest_hour.get(name, 0), span.last_hour)
        given = 0
        for span in judged:
            end_hour = min(span.last_hour + 1, newest_hour[span.stream.model_name])
            given += self._watch(span, spans, end_hour)
        self._export(judged, newest_hour)
        return given

    def _watch(self, span: StreamSpan, spans: Sequence[StreamSpan], end_hour: int) -> int:
        stream = span.stream
        if self._must_wait(stream.model_name):
            return 0
        grids = read_grids(self._client, stream.model_name)
        watched = self._watched.get(stream)
        if watched is None or watched.grids != grids or self._has_new_reference(watched, stream, spans):
            watched = self._watched[stream] = self._begin(span, spans, grids)
        given = 0
        while watched.next_hour < end_hour:
            wanted = min(watched.next_hour + _CHUNK_HOURS, end_hour)
            hours = read_hours(self._client, stream, first_hour=watched.next_hour, end_hour=wanted)
            if read_grids(self._client, stream.model_name) != grids:
                break  # The buckets just read may be of either grid: begin again with the new one.
            given += self._judge(stream, watched, hours)
            if hours.end_hour < wanted:
                break  # A block is landing at this moment; the rest is read next time.
        return given

    def _has_new_reference(self, watched: _Watched, stream: Stream, spans: Sequence[StreamSpan]) -> bool:
        """Say whether reference rows landed since the judge was built, and none since the last look."""
        reference = _reference_of(stream, spans)
        rows = reference.rows if reference else 0
        settled = self._reference_rows.get(stream) == rows
        self._reference_rows[stream] = rows
        return settled and rows != watched.reference_rows

    def _must_wait(self, model_name: str) -> bool:
        """Say whether the model's reference or its grids are on their way, and worth waiting for."""
        complete = is_reference_complete(self._client, model_name)
        if complete is None or (complete and not is_grid_due(self._client, model_name)):
            self._waiting_since_s.pop(model_name, None)
            return False
        since_s = self._waiting_since_s.setdefault(model_name, self._monotonic())
        return self._monotonic() - since_s < self._patience_s

    def _begin(self, span: StreamSpan, spans: Sequence[StreamSpan], grids: Mapping[str, Grid]) -> _Watched:
        """Build a stream's judge anew, from the stored profiles and pages."""
        stream = span.stream
        judged_hour = last_judged_hour(self._client, stream)
        next_hour = span.first_hour if judged_hour is None else judged_hour
        reference = _reference_of(stream, spans)
        judge = Judge(
            grids=grids,
            training=self._read(reference.stream, reference.first_hour, reference.last_hour + 1)
            if reference
            else (),
            settings=self._settings,
            identity=f"{stream.model_name}/{stream.model_version}/{stream.environment}",
        )
        missing = self._missing(stream)
        for profile in self._history(span, spans, max(next_hour - judge.history_hours, 0), next_hour):
            judge.remember(profile, completeness=_completeness(profile, missing))
        judge.resume(
            read_pages(self._client, stream, since_hour=max(next_hour - judge.page_history_hours, 0))
        )
        return _Watched(judge, grids, reference.rows if reference else 0, next_hour)

    def _history(
        self, span: StreamSpan, spans: Sequence[StreamSpan], first_hour: int, end_hour: int
    ) -> Sequence[HourProfile]:
        """Return the stream's own past and, before its first hour, that of the model's other versions."""
        own = self._read(span.stream, first_hour, end_hour)
        earlier: dict[int, HourProfile] = {}
        for other in spans:
            same_model = replace(other.stream, model_version=span.stream.model_version) == span.stream
            if other is span or not same_model:
                continue
            for profile in self._read(other.stream, first_hour, min(span.first_hour, end_hour)):
                known = earlier.get(profile.hour)
                if known is None or known.rows < profile.rows:
                    earlier[profile.hour] = profile
        return [*(earlier[hour] for hour in sorted(earlier)), *own]

    def _read(self, stream: Stream, first_hour: int, end_hour: int) -> Sequence[HourProfile]:
        """Return all of a stream's hours, or none of them.

        Raises:
            StoreError: they are being written at this moment.
        """
        hours = read_hours(self._client, stream, first_hour=first_hour, end_hour=end_hour)
        if hours.end_hour < end_hour:
            raise StoreError(
                f"the profiles of {stream} at {hour_time(hours.end_hour):%Y-%m-%d %H:%M} are being written"
            )
        return hours.profiles

    def _missing(self, stream: Stream) -> Mapping[int, float]:
        return missing_by_hour(
            self._client,
            model_name=stream.model_name,
            model_version=stream.model_version,
            environment=stream.environment,
        )

    def _judge(self, stream: Stream, watched: _Watched, hours: Hours) -> int:
        missing = self._missing(stream)
        rows: list[StoredVerdict] = []
        for profile in hours.profiles:
            verdicts = watched.judge.judge(profile, completeness=_completeness(profile, missing))
            rows += [_stored(stream, verdict) for verdict in verdicts]
            self._latest[stream] = verdicts
        try:
            write_verdicts(self._client, rows)
        except StoreError:
            # The judge has seen these hours, the store has not: it is built again from what the store holds.
            self._watched.pop(stream, None)
            raise
        watched.next_hour = hours.end_hour
        for name, count in Counter(row.verdict for row in rows).items():
            self._metrics.count(JUDGED, count, verdict=name)
        return len(rows)

    def _export(self, spans: Sequence[StreamSpan], newest_hour: Mapping[str, int]) -> None:
        """Export the newest verdicts of streams that are still served, and of no others."""
        served = [
            span.stream
            for span in spans
            if span.stream.environment == "production"
            and span.last_hour > newest_hour[span.stream.model_name] - _SERVED_HOURS
        ]
        latest = {stream: self._latest[stream] for stream in served if self._latest.get(stream)}
        scores: dict[tuple[str, ...], float] = {}
        verdicts: dict[tuple[str, ...], float] = {}
        for stream, given in latest.items():
            scores.update(_scores(stream, given))
            verdicts.update(_states(stream, given))
        self._metrics.replace(SCORE, scores)
        self._metrics.replace(VERDICT, verdicts)
        self._metrics.replace(
            EVALUATED,
            {
                (stream.model_name, stream.model_version): given[0].window_end * 3600.0
                for stream, given in latest.items()
            },
        )
        self._metrics.replace(
            COMPLETENESS,
            {
                (line.model_name, line.model_version): line.ratio
                for line in read_ledger(self._client)
                if Stream(line.model_name, line.model_version, line.environment) in served
            },
        )

    def close(self) -> None:
        """Let go of the store."""
        self._client.close()


def read_pages(client: Client, stream: Stream, *, since_hour: int) -> Sequence[Verdict]:
    """Return a stream's stored page verdicts whose windows ended after an hour, as the judge resumes them."""
    rows = client.query(
        "SELECT feature, kind, reference, scale_hours, intDiv(toUnixTimestamp(window_start), 3600), "
        "intDiv(toUnixTimestamp(window_end), 3600), intDiv(toUnixTimestamp(episode_start), 3600) "
        "FROM drift_verdicts FINAL WHERE verdict = 'page' AND model_name = {model:String} "
        "AND model_version = {version:String} AND environment = {environment:String} "
        "AND window_end > toDateTime({since:UInt32} * 3600, 'UTC')",
        parameters={
            "model": stream.model_name,
            "version": stream.model_version,
            "environment": stream.environment,
            "since": since_hour,
        },
    ).result_rows
    return [
        Verdict(
            feature=feature,
            kind=kind,
            reference=reference,
            scale_hours=scale_hours,
            window_start=start,
            window_end=end,
            verdict="page",
            episode_start=episode_start,
        )
        for feature, kind, reference, scale_hours, start, end, episode_start in rows
    ]


def _reference_of(stream: Stream, spans: Sequence[StreamSpan]) -> StreamSpan | None:
    """Return the reference rows of a stream's model version."""
    wanted = replace(stream, environment=REFERENCE)
    return next((span for span in spans if span.stream == wanted), None)


def _completeness(profile: HourProfile, missing: Mapping[int, float]) -> float:
    return profile.rows / (profile.rows + missing.get(profile.hour, 0.0))


def _stored(stream: Stream, verdict: Verdict) -> StoredVerdict:
    return StoredVerdict(
        model_name=stream.model_name,
        model_version=stream.model_version,
        environment=stream.environment,
        feature=verdict.feature,
        kind=verdict.kind,
        reference=verdict.reference,
        scale_hours=verdict.scale_hours,
        window_start=hour_time(verdict.window_start),
        window_end=hour_time(verdict.window_end),
        verdict=verdict.verdict,
        channel=verdict.channel,
        effect=verdict.effect,
        effect_low=verdict.effect_low,
        effect_high=verdict.effect_high,
        expected=verdict.expected,
        observed=verdict.observed,
        z=verdict.z,
        critical=verdict.critical,
        overdispersion=verdict.phi,
        freedom=verdict.df,
        detectable_effect=verdict.detectable_effect,
        sample_size=verdict.sample_size,
        reference_size=verdict.reference_size,
        completeness=verdict.completeness,
        statistics={name: number for name, number in verdict.statistics.items() if number is not None},
        episode_id=verdict.episode_id,
        episode_start=None if verdict.episode_start is None else hour_time(verdict.episode_start),
        rank=verdict.rank,
        listed=verdict.listed,
        reason=verdict.reason,
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
