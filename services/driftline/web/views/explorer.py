"""The explorer of a model's predictions: its form, and the predictions that match."""

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
        stream: whose predictions.
        form: its fields as they were filled in, each as text.
        problems: what is wrong in them; then the store was not queried.
        rows: predictions, the newest first.
        older: the address of those behind them; None: there are none.
        newest: the address of the newest; None: these are.
        streams: the versions and environments to choose from.
        features: the names to choose from.
        shows: the feature whose value is shown; empty: none.
    """

    stream: Stream
    form: Mapping[str, str]
    problems: Sequence[str]
    rows: Sequence[PredictionLine]
    older: str | None
    newest: str | None
    streams: Sequence[Stream]
    features: Sequence[str]
    shows: str

    @property
    def versions(self) -> Sequence[str]:
        """The versions to choose from, the newest first."""
        return list(dict.fromkeys([each.model_version for each in self.streams]))

    @property
    def environments(self) -> Sequence[str]:
        """The environments to choose from."""
        return sorted({each.environment for each in self.streams})


def view_explorer(connection: Connection, name: str, query: Mapping[str, str]) -> ExplorerView:
    """Return the predictions that an address asks for.

    Args:
        connection: to the store.
        name: of the model.
        query: of the address: the form's fields, and the prediction after which the list continues.

    Raises:
        NotFoundError: there is no such model.
    """
    streams = read_versions(connection, name)
    if not streams:
        raise NotFoundError(f"no event of a model called {name!r} has landed")
    form = {
        field: query.get(field, "") if field in _VERBATIM else query.get(field, "").strip()
        for field in _FIELDS
    }
    stream = _stream(connection, name, streams, form)
    problems: list[str] = []
    wanted, after = _filter(form, problems), _cursor(query.get("after", ""), problems)
    rows: Sequence[PredictionLine] = ()
    if not problems:
        try:
            rows = read_predictions(connection, stream, wanted, limit=ROWS + 1, after=after)
        except SettingError as error:
            problems.append(str(error))
    given = {field: value for field, value in form.items() if value}
    return ExplorerView(
        stream=stream,
        form={**form, "version": stream.model_version, "environment": stream.environment},
        problems=problems,
        rows=rows[:ROWS],
        older=explorer_path(name, **given, after=str(rows[ROWS - 1].cursor)) if len(rows) > ROWS else None,
        newest=explorer_path(name, **given) if after is not None else None,
        streams=streams,
        features=read_feature_names(connection, stream),
        shows=wanted.feature,
    )


def _stream(connection: Connection, name: str, streams: Sequence[Stream], form: Mapping[str, str]) -> Stream:
    """Return the stream that is asked for; by default, what serves now."""
    version, environment = form["version"], form["environment"]
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


def _filter(form: Mapping[str, str], problems: list[str]) -> Filter:
    """Read the form; what is wrong in it is added to `problems`."""
    needs_feature = [field for field in ("value", "empty", "low", "high", "missing") if form[field]]
    if needs_feature and not form["feature"]:
        problems.append("choose the feature that the value is about")
    if form["part"] and "=" not in form["part"]:
        problems.append(
            f"{form['part']!r} is no part of the traffic: write key=value, of a tag or of a categorical "
            "feature, such as carrier=DL"
        )
    return Filter(
        since=_time(form["since"], "from", problems),
        until=_time(form["until"], "until", problems),
        part=form["part"],
        feature=form["feature"],
        kind=form["kind"],
        value=form["value"] or ("" if form["empty"] else None),
        low=_number(form["low"], "at least", problems),
        high=_number(form["high"], "at most", problems),
        is_missing=bool(form["missing"]),
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
