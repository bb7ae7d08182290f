"""Scoring many entities at once: features are read once for all models, and each prediction is logged."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from driftline.domain.names import PROVENANCE_TAG
from driftline.errors import NotFoundError, SettingError
from driftline.features.definitions import FeatureService, Selected
from driftline.features.online.provenance import Provenance, ViewRead
from driftline.features.registering import read_registered
from driftline.features.tables import columns_of, entity_texts, import_arrow, times_us
from driftline.features.training import TIME_SUFFIX, get_training_set
from driftline.sdk.artifacts import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from driftline.features.definitions import FeatureView, OnDemandView
    from driftline.sdk import DeployedModel, PredictionLogger
    from driftline.store.connection import Connection

PIECE_ROWS: Final = 50_000
"""So many rows are scored and logged at a time: memory holds no more than these of what is made of them."""

_EVENT_TIME = "event_time"
_ROOM_S = 300.0
"""How long a piece waits for the log at most: what has no room by then would be lost."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What scoring one model did.

    Args:
        model: which version of which model.
        service: the features that it took.
        scores: its answers. n of them.
        event_ids: of the predictions that were logged; None where one was dropped. Length n.
    """

    model: DeployedModel
    service: FeatureService
    scores: Sequence[Any]
    event_ids: Sequence[str | None]


def service_of(
    connection: Connection, model_name: str, services: Iterable[FeatureService] = ()
) -> FeatureService:
    """Return the one service that is the model's, of those given, or else of those in force.

    Raises:
        NotFoundError: there is none, or there are several.
    """
    known = list(services) or [
        each.definition
        for each in read_registered(connection, kind="service")
        if isinstance(each.definition, FeatureService)
    ]
    found = [service for service in known if service.model == model_name]
    if len(found) == 1:
        return found[0]
    names = ", ".join(service.name for service in found) or "none"
    raise NotFoundError(
        f"one feature service is to name model {model_name!r} (model=), and {names} of {len(known)} does"
    )


def read_once(
    connection: Connection, services: Sequence[FeatureService], entities: Any, *, now_s: float
) -> pa.Table:
    """Return the features of several services, each read once, as they can be known at each row's time.

    Args:
        connection: to the store.
        services: whose features.
        entities: as in ``get_training_set``; without a column ``event_time`` all rows are as of now.
        now_s: the time now, seconds since 1970.

    Raises:
        SettingError: two services mean different things by one name, or as ``get_training_set``.
    """
    arrow = import_arrow("scoring")
    columns = dict(columns_of(entities))
    if _EVENT_TIME not in columns:
        rows = len(next(iter(columns.values()), ()))
        columns[_EVENT_TIME] = arrow.array([int(now_s * 1e6)] * rows, arrow.timestamp("us", tz="UTC"))
    wanted: dict[str, dict[str, None]] = {}
    views: dict[tuple[str, str], FeatureView] = {}
    computed: dict[str, OnDemandView] = {}
    for service in services:
        for each in service.selected:
            views.setdefault((each.view.name, each.view.version), each.view)
            wanted.setdefault(each.view.name, {}).update(dict.fromkeys(each.names))
        computed.update({each.name: each for each in service.on_demand})
    if len({name for name, _ in views}) < len(views):
        raise SettingError("two services read different versions of one view; score their models apart")
    parts = [Selected(view, tuple(wanted[view.name])) for view in views.values()]
    together = FeatureService("together", [*parts, *computed.values()])
    return get_training_set(connection, together, arrow.table(columns), times=True)


def load_model(model: DeployedModel) -> Any:
    """Return a trained model from its artifact, which has to be the file that was registered.

    Raises:
        SettingError: it lies elsewhere than on this host, is another file than was registered, or nobody
            registered its digest; or joblib is not installed.
        OSError: it can't be read.
    """
    title = f"{model.model_name} {model.model_version}"
    parts = urlsplit(model.artifact_uri or "")
    if parts.scheme not in {"", "file"} or not parts.path:
        raise SettingError(f"the artifact of {title} is not on this host: {model.artifact_uri}")
    path = Path(unquote(parts.path))
    # Loading one runs code that is in it.
    if model.artifact_sha256 is None or file_sha256(path) != model.artifact_sha256:
        raise SettingError(
            f"{os.fspath(path)} is not the file that was registered as {title}; it is not loaded"
        )
    try:
        import joblib  # noqa: PLC0415  only who scores needs it
    except ImportError as error:
        raise SettingError("scoring needs joblib; install it with: pip install joblib") from error
    return joblib.load(path)


def predict(trained: Any, frame: Any) -> Sequence[Any]:
    """Return a model's answers: of two classes the probability of the second, else what it predicts."""
    names = getattr(trained, "feature_names_in_", None)
    given = frame if names is None else frame[list(names)]
    if hasattr(trained, "predict_proba") and len(getattr(trained, "classes_", ())) == 2:
        scores: Sequence[Any] = trained.predict_proba(given)[:, 1].tolist()
        return scores
    answers: Sequence[Any] = list(trained.predict(given))
    return answers


def score(
    model: DeployedModel, service: FeatureService, table: pa.Table, logger: PredictionLogger, trained: Any
) -> Scored:
    """Score all rows by one model, and log each prediction with where its features came from.

    Rows are taken piece by piece, and each piece waits until the log has room for it.

    Args:
        model: which version.
        service: its features.
        table: what ``read_once`` returned.
        logger: of this version.
        trained: the model.
    """
    scores: list[Any] = []
    event_ids: list[str | None] = []
    for start in range(0, table.num_rows, PIECE_ROWS):
        piece = table.slice(start, PIECE_ROWS)
        frame = piece.select(list(service.names)).to_pandas()
        answers = predict(trained, frame)
        at = times_us(piece.column(_EVENT_TIME), _EVENT_TIME)
        entity = service.selected[0].view.entity if service.selected else None
        event_ids += logger.log_batch(
            features=frame,
            predictions=answers,
            entity_ids=None if entity is None else entity_texts(columns_of(piece), entity),
            tags={PROVENANCE_TAG: [each.tags[PROVENANCE_TAG] for each in _provenances(service, piece, at)]},
            timeout_s=_ROOM_S,
        )
        scores += answers
    return Scored(model, service, scores, event_ids)


def _provenances(service: FeatureService, table: pa.Table, at: Sequence[int]) -> Sequence[Provenance]:
    """Return where each row's features came from."""
    reads: list[dict[str, ViewRead]] = [{} for _ in at]
    for each in service.selected:
        view = each.view
        keys = entity_texts(columns_of(table), view.entity)
        times = table.column(f"{view.name}{TIME_SUFFIX}").cast("int64").to_pylist()
        for place, (key, time) in enumerate(zip(keys, times, strict=True)):
            age = None if time is None else at[place] - time
            reads[place][view.name] = ViewRead(view.version, view.computation, key, age)
    return [
        Provenance(service.name, service.version, moment, read)
        for moment, read in zip(at, reads, strict=True)
    ]


def with_scores(entities: Any, scored: Sequence[Scored]) -> Mapping[str, Any]:
    """Return the columns that were given, and a model's answers beside them, under the model's name."""
    return dict(columns_of(entities)) | {each.model.model_name: each.scores for each in scored}
