"""The explorer of a model's predictions: what its form asks, and what is found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from driftline.domain.hours import utc
from driftline.domain.streams import Stream
from driftline.errors import NotFoundError, SettingError
from driftline.store.ledger import read_landed
from driftline.store.predictions import (
    Cursor,
    Filter,
    read_feature_names,
    read_predictions,
    read_versions,
)
from driftline.web.addresses import explorer_path
from driftline.web.views.streams import Choice, find_span, spans_by_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.store.connection import Connection
    from driftline.store.predictions import PredictionLine

ROWS = 50

_FIELDS = (
    "version",
    "environment",
    "since",
    "until",
    "part",
    "feature",
    "kind",
    "value",
    "empty",
    "low",
    "high",
    "missing",
)
_VERBATIM = frozenset({"part", "feature", "value"})
"""Names and values are taken as they are: they may begin or end with a space."""


@dataclass(frozen=True, slots=True)
class ExplorerView:
    """Predictions of one stream, and the form that chose them.

    Args:
        stream: whose.
        asked: the fields of the form as they were filled in, each as text.
        problems: what is wrong in them; then nothing was asked of the store.
        rows: predictions, the newest first.
        older: the address of those behind them; None: there are none.
        newest: the address of the newest; None: these are.
        streams: versions and environments that there are.
        features: names that there are.
        shows: the feature whose value is shown; empty: none.
    """

    stream: Stream
    asked: Mapping[str, str]
    problems: Sequence[str]
    rows: Sequence[PredictionLine]
    older: str | None
    newest: str | None
    streams: Sequence[Stream]
    features: Sequence[str]
    shows: str

    @property
    def versions(self) -> Sequence[str]:
        """The versions that there are, the newest first."""
        return list(dict.fromkeys([each.model_version for each in self.streams]))

    @property
    def environments(self) -> Sequence[str]:
        """The environments that there are."""
        return sorted({each.environment for each in self.streams})


def view_explorer(connection: Connection, name: str, query: Mapping[str, str]) -> ExplorerView:
    """Return what an address asks for.

    Args:
        connection: to the store.
        name: of the model.
        query: of the address: the form's fields, and behind which prediction the list goes on.

    Raises:
        NotFoundError: there is no such model.
    """
    streams = read_versions(connection, name)
    if not streams:
        raise NotFoundError(f"no event of a model called {name!r} has landed")
    asked = {
        field: query.get(field, "") if field in _VERBATIM else query.get(field, "").strip()
        for field in _FIELDS
    }
    stream = _stream(connection, name, streams, asked)
    problems: list[str] = []
    wanted, after = _filter(asked, problems), _cursor(query.get("after", ""), problems)
    rows: Sequence[PredictionLine] = ()
    if not problems:
        try:
            rows = read_predictions(connection, stream, wanted, limit=ROWS + 1, after=after)
        except SettingError as error:
            problems.append(str(error))
    given = {field: value for field, value in asked.items() if value}
    return ExplorerView(
        stream=stream,
        asked={**asked, "version": stream.model_version, "environment": stream.environment},
        problems=problems,
        rows=rows[:ROWS],
        older=explorer_path(name, **given, after=str(rows[ROWS - 1].cursor)) if len(rows) > ROWS else None,
        newest=explorer_path(name, **given) if after is not None else None,
        streams=streams,
        features=read_feature_names(connection, stream),
        shows=wanted.feature,
    )


def _stream(connection: Connection, name: str, streams: Sequence[Stream], asked: Mapping[str, str]) -> Stream:
    """Return the stream that is asked for; what is left open is what serves now."""
    version, environment = asked["version"], asked["environment"]
    if version and environment:
        return Stream(name, version, environment)
    spans = [
        span
        for span in spans_by_model(connection).get(name, ())
        if version in {"", span.stream.model_version} and environment in {"", span.stream.environment}
    ]
    span = find_span(spans, read_landed(connection, model_name=name), Choice(days=0)) if spans else None
    fitting = [
        each
        for each in streams
        if version in {"", each.model_version} and environment in {"", each.environment}
    ]
    if span is not None:
        return span.stream
    served = [each for each in fitting if each.environment != "reference"] or fitting
    return served[0] if served else Stream(name, version or streams[0].model_version, environment)


def _filter(asked: Mapping[str, str], problems: list[str]) -> Filter:
    """Read the form; what is wrong in it is added to `problems`."""
    needs_feature = [field for field in ("value", "empty", "low", "high", "missing") if asked[field]]
    if needs_feature and not asked["feature"]:
        problems.append("choose the feature that the value is about")
    if asked["part"] and "=" not in asked["part"]:
        problems.append(
            f"{asked['part']!r} is no part of the traffic: write key=value, of a tag or of a categorical "
            "feature, such as carrier=DL"
        )
    return Filter(
        since=_time(asked["since"], "from", problems),
        until=_time(asked["until"], "until", problems),
        part=asked["part"],
        feature=asked["feature"],
        kind=asked["kind"],
        value=asked["value"] or ("" if asked["empty"] else None),
        low=_number(asked["low"], "at least", problems),
        high=_number(asked["high"], "at most", problems),
        is_missing=bool(asked["missing"]),
    )


def _time(text: str, field: str, problems: list[str]) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or not 1970 <= time.year < 2100:
        problems.append(f"{field}: {text!r} is no time such as 2026-01-31T12:00, of 1970 to 2099")
        return None
    return utc(time)


def _number(text: str, field: str, problems: list[str]) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        problems.append(f"{field}: {text!r} is no number")
        return None


def _cursor(text: str, problems: list[str]) -> Cursor | None:
    if not text:
        return None
    try:
        return Cursor.parse(text)
    except ValueError:
        problems.append("the list can't go on there: the address was changed")
        return None
