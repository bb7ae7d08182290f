"""What MLflow says of models, versions and runs, as values; from the JSON that its REST API answers.

Numbers may stand there as text, and what is empty may be left out; so whatever is missing is empty here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.mlflow.errors import MlflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

READY: Final = "READY"
"""Status of a version whose files are there."""

DELETED: Final = "deleted"
_PROMPT = "mlflow.prompt.is_prompt"
_CONTEXT = "mlflow.data.context"
_PLACES = ("uri", "url", "path", "table_name", "delta_table_name", "sql", "query")
"""Where the source of a dataset says where it lies, whatever kind it is of."""


@dataclass(frozen=True, slots=True)
class SeenModel:
    """A registered model.

    Args:
        name: of the model.
        aliases: the version that each names.
        is_prompt: whether it is no model, but a prompt, which MLflow keeps in the same place.
    """

    name: str
    aliases: Mapping[str, str]
    is_prompt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenVersion:
    """A version of a registered model.

    Args:
        model_name: whose.
        version: its number.
        run_id: the run that made it; empty: none is named.
        model_id: the logged model that it is; empty: none is named.
        source: where it was registered from.
        created_ms: when, milliseconds since 1970-01-01T00:00:00Z.
        user: who registered it; empty: not known.
        description: as people wrote it.
        tags: by name.
        stage: of the older kind, such as ``Production``; empty: none.
        status: ``READY``, or why not.
    """

    model_name: str
    version: str
    run_id: str = ""
    model_id: str = ""
    source: str = ""
    created_ms: int = 0
    user: str = ""
    description: str = ""
    tags: Mapping[str, str]
    stage: str = ""
    status: str = READY

    @property
    def logged_model_id(self) -> str:
        """The logged model that it is, by its id or by where it was registered from; empty: none."""
        place = self.source.removeprefix("models:/")
        is_logged = place != self.source and place.startswith("m-") and "/" not in place
        return self.model_id or (place if is_logged else "")


@dataclass(frozen=True, slots=True)
class SeenDataset:
    """A dataset that a run used.

    Args:
        name: of the dataset.
        context: what for, such as ``training``; empty: not known.
        digest: as MLflow makes it, of a sample; empty: none.
        place: where it lies, as well as MLflow knows.
        rows: how many; None: not known.
        columns: type by name.
    """

    name: str
    context: str
    digest: str
    place: str
    rows: int | None
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRun:
    """A run.

    Args:
        run_id: which.
        user: whose; empty: not known.
        lifecycle: ``active`` or ``deleted``.
        artifact_uri: where its files lie.
        start_ms: when it began; 0: not known.
        end_ms: when it ended; 0: it has not.
        parameters: by name.
        metrics: the last value of each; of a metric on a dataset, under the dataset's name and its own.
        tags: by name.
        datasets: that it used.
        model_ids: the logged models that it made, the last one last.
    """

    run_id: str
    user: str = ""
    lifecycle: str = "active"
    artifact_uri: str = ""
    start_ms: int = 0
    end_ms: int = 0
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    datasets: Sequence[SeenDataset] = ()
    model_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLoggedModel:
    """A logged model, of MLflow 3: what a run logged, with what was measured of it.

    Args:
        model_id: which.
        run_id: that logged it; empty: none is named.
        artifact_uri: where its files lie.
        parameters: by name.
        metrics: as those of a run.
        tags: by name.
    """

    model_id: str
    run_id: str
    artifact_uri: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def read_model(answer: Any) -> SeenModel:
    """Return a registered model.

    Raises:
        MlflowError: it is none.
    """
    fields = _fields(answer, "a registered model", "name")
    aliases = {_text(each, "alias"): _text(each, "version") for each in _list(fields, "aliases")}
    is_prompt = _pairs(fields, "tags").get(_PROMPT, "").lower() == "true"
    return SeenModel(_text(fields, "name"), aliases, is_prompt)


def read_version(answer: Any) -> SeenVersion:
    """Return a version.

    Raises:
        MlflowError: it is none.
    """
    fields = _fields(answer, "a model version", "name", "version")
    stage = _text(fields, "current_stage")
    return SeenVersion(
        model_name=_text(fields, "name"),
        version=_text(fields, "version"),
        run_id=_text(fields, "run_id"),
        model_id=_text(fields, "model_id"),
        source=_text(fields, "source"),
        created_ms=_number(fields, "creation_timestamp"),
        user=_text(fields, "user_id"),
        description=_text(fields, "description"),
        tags=_pairs(fields, "tags"),
        stage="" if stage == "None" else stage,
        status=_text(fields, "status") or READY,
    )


def read_run(answer: Any) -> SeenRun:
    """Return a run.

    Raises:
        MlflowError: it is none.
    """
    info = _fields(_part(answer, "info"), "a run", "run_id")
    data = _part(answer, "data")
    return SeenRun(
        run_id=_text(info, "run_id"),
        user=_text(info, "user_id"),
        lifecycle=_text(info, "lifecycle_stage") or "active",
        artifact_uri=_text(info, "artifact_uri"),
        start_ms=_number(info, "start_time"),
        end_ms=_number(info, "end_time"),
        parameters=_pairs(data, "params"),
        metrics=_metrics(_list(data, "metrics")),
        tags=_pairs(data, "tags"),
        datasets=tuple(_dataset(each) for each in _list(_part(answer, "inputs"), "dataset_inputs")),
        model_ids=tuple(_text(each, "model_id") for each in _list(_part(answer, "outputs"), "model_outputs")),
    )


def read_logged_model(answer: Any) -> SeenLoggedModel:
    """Return a logged model.

    Raises:
        MlflowError: it is none.
    """
    info = _fields(_part(answer, "info"), "a logged model", "model_id")
    data = _part(answer, "data")
    return SeenLoggedModel(
        model_id=_text(info, "model_id"),
        run_id=_text(info, "source_run_id"),
        artifact_uri=_text(info, "artifact_uri"),
        parameters=_pairs(data, "params"),
        metrics=_metrics(_list(data, "metrics")),
        tags=_pairs(info, "tags"),
    )


def version_order(version: SeenVersion) -> tuple[str, int, str]:
    """Return what versions are sorted by: the oldest of each model first."""
    number = int(version.version) if version.version.isdecimal() else 0
    return version.model_name, number, version.version


def _dataset(answer: Any) -> SeenDataset:
    fields = _part(answer, "dataset")
    profile, source = _json(fields, "profile"), _json(fields, "source")
    rows = profile.get("num_rows")
    columns = _json(fields, "schema").get("mlflow_colspec")
    return SeenDataset(
        name=_text(fields, "name"),
        context=_pairs(answer, "tags").get(_CONTEXT, ""),
        digest=_text(fields, "digest"),
        place=_place(source, _text(fields, "source_type"), _text(fields, "name")),
        rows=rows if isinstance(rows, int) and not isinstance(rows, bool) else None,
        columns=column_types(columns),
    )


def column_types(columns: Any) -> Mapping[str, str]:
    """Return the type of each column, of a schema as MLflow writes it; columns without a name are none."""
    named = (each for each in columns or () if isinstance(each, Mapping) and each.get("name"))
    return {str(each["name"]): _type_name(each) for each in named}


def _type_name(column: Mapping[str, Any]) -> str:
    tensor = column.get("tensor-spec")
    if isinstance(tensor, Mapping):
        return str(tensor.get("dtype", "tensor"))
    return str(column.get("type", ""))


def _place(source: Mapping[str, Any], kind: str, name: str) -> str:
    """Return where a dataset lies; of one that code made, which code."""
    for key in _PLACES:
        if isinstance(source.get(key), str) and source[key]:
            return str(source[key])
    code = source.get("tags")
    if isinstance(code, Mapping) and code.get("mlflow.source.name"):
        return f"{kind or 'code'}:{code['mlflow.source.name']}"
    return f"{kind or 'dataset'}:{name}"


def _metrics(answers: Iterable[Any]) -> Mapping[str, float]:
    found: dict[str, tuple[tuple[int, int], float]] = {}
    for each in answers:
        dataset = _text(each, "dataset_name")
        name = f"{dataset}/{_text(each, 'key')}" if dataset else _text(each, "key")
        at = (_number(each, "step"), _number(each, "timestamp"))
        if name and (name not in found or found[name][0] <= at):
            found[name] = at, _float(each.get("value"))
    return {name: value for name, (_, value) in sorted(found.items())}


def _float(value: Any) -> float:
    """Return a number, which stands as text where JSON has no number for it."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _fields(answer: Any, what: str, *needed: str) -> Mapping[str, Any]:
    """Return an answer that has at least some fields.

    Raises:
        MlflowError: it has not.
    """
    if not isinstance(answer, Mapping) or not all(_text(answer, name) for name in needed):
        raise MlflowError(f"MLflow answered what is no {what.removeprefix('a ')}: {str(answer)[:200]}")
    return answer


def _part(answer: Any, name: str) -> Mapping[str, Any]:
    part = answer.get(name) if isinstance(answer, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _list(fields: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = fields.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _pairs(fields: Mapping[str, Any], name: str) -> Mapping[str, str]:
    pairs = ((_text(each, "key"), _text(each, "value")) for each in _list(fields, name))
    return {key: value for key, value in sorted(pairs) if key}


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _number(fields: Mapping[str, Any], name: str) -> int:
    try:
        return int(fields.get(name) or 0)
    except (TypeError, ValueError):
        return 0


def _json(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return JSON that stands as text in an answer; what is none is empty."""
    try:
        value = json.loads(_text(fields, name) or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, Mapping) else {}
