"""Which stream of a model a page shows, and where its pages are. Hours count from the Unix epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from driftline.domain.streams import PRODUCTION, Stream
from driftline.errors import NotFoundError
from driftline.store.incidents import SERVED_HOURS
from driftline.store.judged import read_judged
from driftline.store.ledger import read_landed
from driftline.web import formatting
from driftline.web.addresses import feature_path
from driftline.web.draw.charts import Span
from driftline.web.period import DEFAULT_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.domain.verdicts import Feature
    from driftline.store.connection import Connection
    from driftline.store.judged import JudgedSpan, NewestVerdict, State
    from driftline.store.ledger import LedgerLine
    from driftline.web.episodes import Episode

_Newest = TypeVar("_Newest", "State", "NewestVerdict")
_UNKNOWN = frozenset({"learning", "insufficient_data"})
REFERENCE_ROWS = "reference"
"""The environment of the rows of training references, which nobody serves."""


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


def find_span(spans: Sequence[JudgedSpan], landed: Mapping[Stream, int], choice: Choice) -> JudgedSpan | None:
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
    served = [span for span in asked if span.stream.environment == PRODUCTION] or asked
    newest = max(span.last_end for span in served)
    return max(
        (span for span in served if newest - span.last_end < SERVED_HOURS),
        key=lambda span: (landed.get(span.stream, 0), span.stream.model_version, span.stream.environment),
    )


def stream_feature_path(
    stream: Stream, feature: str, *, days: int, kind: str = "numeric", at: int | None = None
) -> str:
    """Return the address of a feature's page for one stream.

    Args:
        stream: whose feature.
        feature: its name.
        days: length of the period shown.
        kind: numeric, which an address names where there are both, or categorical.
        at: the hour behind the window shown; None: the newest.
    """
    return feature_path(
        stream.model_name,
        feature,
        kind=None if kind == "numeric" else kind,
        version=stream.model_version,
        environment=None if stream.environment == PRODUCTION else stream.environment,
        days=None if days == DEFAULT_DAYS else days,
        at=None if at is None else formatting.iso(at),
    )


def episode_path(episode: Episode, *, days: int) -> str:
    """Return the address of a feature's page as an episode left it: now, or as its last window ended."""
    at = None if episode.is_open else episode.until
    return stream_feature_path(episode.stream, episode.feature, kind=episode.kind, days=days, at=at)


def find_stream(connection: Connection, name: str, choice: Choice) -> tuple[JudgedSpan, int]:
    """Return the stream of a model that is shown, and when the model's newest judged window ended, in hours.

    Raises:
        NotFoundError: nothing of it is judged.
    """
    spans = spans_by_model(connection).get(name, ())
    # What landed only decides which of several versions serves most.
    landed = read_landed(connection, model_name=name) if len(spans) > 1 else {}
    span = find_span(spans, landed, choice)
    if span is None:
        raise NotFoundError(f"no window of a model called {name!r} is judged")
    return span, max(each.last_end for each in spans)


def episode_spans(
    episodes: Sequence[Episode], feature: Feature, stream: Stream, reference: str
) -> Sequence[Span]:
    """Return when the episodes of one feature went on, for a chart of one stream and reference.

    Those of all the traffic and of its parts that overlap are one; the newest comes first.
    """
    spans: list[Span] = []
    for episode in sorted(episodes, key=lambda each: each.since):
        if (episode.feature, episode.kind, episode.stream, episode.reference) != (
            *feature,
            stream,
            reference,
        ):
            continue
        if spans and episode.since <= spans[-1].end:
            spans[-1] = Span(spans[-1].first, max(spans[-1].end, episode.until))
        else:
            spans.append(Span(episode.since, episode.until))
    return spans[::-1]


def that_count(newest: Sequence[_Newest]) -> Sequence[_Newest]:
    """Return the newest verdicts that say how it stands: those against past weeks, once these are known.

    Until then those against the training data, where it has any.
    """
    production = [each for each in newest if each.reference == PRODUCTION]
    training = [each for each in newest if each.reference != PRODUCTION]
    is_known = any(each.verdict not in _UNKNOWN for each in production)
    is_judged = any(each.verdict not in _UNKNOWN for each in training)
    return training if is_judged and not is_known else production


def least_complete(newest: Iterable[State | NewestVerdict]) -> float | None:
    """Return which share of the events of the newest longest window arrived; None: nothing is judged."""
    shares = [(-each.scale_hours, each.completeness) for each in newest]
    return min(shares)[1] if shares else None


def landed_by_model(connection: Connection, *, model_name: str = "") -> Mapping[str, Mapping[Stream, int]]:
    """Return how many rows of each stream landed, by model, without those of training references."""
    found: dict[str, dict[Stream, int]] = {}
    for stream, landed in read_landed(connection, model_name=model_name).items():
        if stream.environment != REFERENCE_ROWS:
            found.setdefault(stream.model_name, {})[stream] = landed
    return found


def spans_by_model(connection: Connection) -> Mapping[str, Sequence[JudgedSpan]]:
    """Return what is judged, by model."""
    spans = sorted(read_judged(connection), key=lambda span: span.stream.model_name)
    return {name: list(group) for name, group in groupby(spans, key=lambda span: span.stream.model_name)}


def stream_of(line: LedgerLine) -> Stream:
    """Return the stream that a line of the ledger is about."""
    return Stream(line.model_name, line.model_version, line.environment)
