"""One prediction, with its training run, and the verdicts on windows around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.domain.hours import hour_of
from driftline.domain.names import is_answer, output_of, shown_tags
from driftline.domain.streams import Stream
from driftline.domain.verdicts import gravest
from driftline.errors import NotFoundError, SettingError
from driftline.features.online.provenance import read_provenance
from driftline.store.checked import (
    find_broken,
    find_unseen,
    outputs_by_key,
    values_by_key,
    with_categories,
)
from driftline.store.kinds import categories_of_model
from driftline.store.lineage import read_lineage
from driftline.store.trace import trace
from driftline.web.incidents import read_known_incidents
from driftline.web.views.streams import spans_by_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.features.online.provenance import Provenance
    from driftline.store.connection import Connection
    from driftline.store.lineage import Lineage
    from driftline.web.incidents import KnownIncident


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """One feature of a prediction.

    Args:
        name: of the feature.
        value: a number or a category; None: it was sent without a value, or not at all.
        invalid: which rule it broke; empty: none.
        unseen: how it differs from all that the reference held; empty: it does not.
        verdict: the gravest finding on the feature in windows around the prediction; empty: none.
    """

    name: str
    value: float | str | None
    invalid: str
    unseen: str
    verdict: str


@dataclass(frozen=True, slots=True)
class PredictionView:
    """One prediction. Times are in UTC.

    Args:
        event: as it landed, by column.
        stream: the model version and environment that made it.
        time: when it was made.
        features: what it was made from; unusual values first.
        outputs: what it answered, where that is several things, in the order of their names.
        answer: what is invalid in the answer, by part.
        run: that made the model, by column; None: it was never registered.
        lineage: the stage of its version then and now, and its training run in full.
        outcomes: the truth, as it became known, the newest last.
        verdicts: the findings in windows around it, one a feature and part of the traffic.
        incidents: those that went on at the time.
        is_judged: whether the hour that it was made in is judged.
        tags: of the event, without driftline's own.
        provenance: by which definitions its features were read; None: it does not say.
    """

    event: Mapping[str, Any]
    stream: Stream
    time: datetime
    features: Sequence[FeatureValue]
    outputs: Sequence[FeatureValue]
    answer: Mapping[str, str]
    run: Mapping[str, Any] | None
    lineage: Lineage
    outcomes: Sequence[Mapping[str, Any]]
    verdicts: Sequence[Mapping[str, Any]]
    incidents: Sequence[KnownIncident]
    is_judged: bool
    tags: Mapping[str, str]
    provenance: Provenance | None

    @property
    def end_hour(self) -> int:
        """The hour behind the one that it was made in."""
        return hour_of(self.time) + 1


def view_prediction(connection: Connection, event_id: str) -> PredictionView:
    """Return one prediction.

    Raises:
        NotFoundError: no such prediction has landed, or it is no event id.
    """
    try:
        found = trace(connection, event_id)
    except SettingError as error:
        raise NotFoundError(str(error)) from error
    event = found["prediction"]
    stream = Stream(event["model_name"], event["model_version"], event["environment"])
    time = event["event_time"].replace(tzinfo=UTC)
    end_hour = hour_of(time) + 1
    broken, unseen = find_broken(connection, event), find_unseen(connection, event)
    event = with_categories(event, categories_of_model(connection, stream.model_name))
    return PredictionView(
        event=event,
        stream=stream,
        time=time,
        features=_features(event, broken, unseen, found["verdicts"]),
        outputs=sorted(
            _rows(outputs_by_key(event), broken, unseen, found["verdicts"]),
            key=lambda each: _natural(each.name),
        ),
        answer={
            name: reason for name, reason in broken.items() if is_answer(name) and output_of(name) is None
        },
        run=found["training_run"],
        lineage=read_lineage(connection, event),
        outcomes=found["outcomes"],
        verdicts=_gravest(found["verdicts"]),
        incidents=[
            known
            for known in read_known_incidents(connection, model_name=stream.model_name, since=time)
            if known.incident.stream == stream and known.since <= hour_of(time)
        ],
        is_judged=any(
            span.stream == stream and span.first_end <= end_hour <= span.last_end
            for span in spans_by_model(connection).get(stream.model_name, ())
        ),
        tags=shown_tags(event["tags"]),
        provenance=read_provenance(event["tags"]),
    )


def _features(
    event: Mapping[str, Any],
    broken: Mapping[str, str],
    unseen: Mapping[str, str],
    verdicts: Sequence[Mapping[str, Any]],
) -> Sequence[FeatureValue]:
    values: dict[str, float | str | None] = {
        **values_by_key(event),
        **{name: None for name, reason in broken.items() if reason == "absent"},
    }
    return sorted(
        _rows(values, broken, unseen, verdicts),
        key=lambda each: (not each.invalid, not each.unseen, each.verdict != "page", each.name),
    )


def _rows(
    values: Mapping[str, float | str | None],
    broken: Mapping[str, str],
    unseen: Mapping[str, str],
    verdicts: Sequence[Mapping[str, Any]],
) -> Sequence[FeatureValue]:
    """Return values with what is remarkable about them, in their order."""
    found: dict[str, list[str]] = {}
    for each in verdicts:
        if not each["segment"]:
            found.setdefault(each["feature"], []).append(each["verdict"])
    return [
        FeatureValue(
            name,
            value,
            broken.get(name, ""),
            unseen.get(name, ""),
            gravest(found[name]) if name in found else "",
        )
        for name, value in values.items()
    ]


def _natural(name: str) -> tuple[str, int]:
    """Return by what names are sorted, the second place before the tenth."""
    text = name.rstrip("0123456789")
    return text, int(name[len(text) :] or 0)


def _gravest(verdicts: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return one finding a feature and part: of pages and warnings the first, of the longest window."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in sorted(verdicts, key=lambda each: (each["verdict"], -each["scale_hours"])):
        found.setdefault((each["segment"], each["feature"]), each)
    return list(found.values())
