"""A training run as events of OpenLineage: what it learned from, what it made, and by which code.

Each run is two events, its start and its end, whose facets say what a catalog of data shows: where the data
lies, which version of it, how many rows, which columns; the commit; and the version of the model.
"""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.registry.runs import Run, RunData

NAMESPACE: Final = "driftline"
"""The namespace of jobs and of models."""

PRODUCER: Final = "urn:driftline"
_SPEC: Final = "https://openlineage.io/spec"
_EVENT: Final = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs"
# What a run id that is no UUID is made into one by, so that a run has the same one wherever it is asked.
_RUNS: Final = uuid.UUID("b0d6d2d4-5f0c-5a43-9d2c-6a1c2f4c8a17")
_SSH = re.compile(r"(?:ssh://)?git@([^:/]+)[:/](.+)")

Facet = dict[str, Any]


def run_events(run: Run) -> Sequence[dict[str, Any]]:
    """Return a run's events, START and COMPLETE, as OpenLineage's schema has them."""
    ended = run.registered_time
    started = ended - timedelta(seconds=run.cost.get("wall_s", 0.0))
    return [
        _event(run, "START", started.isoformat(), outputs=[]),
        _event(run, "COMPLETE", ended.isoformat(), outputs=[_model(run)]),
    ]


def run_uuid(run: Run) -> str:
    """Return the run's id if it is a UUID, as OpenLineage wants it, else one made of its names."""
    try:
        return str(uuid.UUID(run.training_run_id))
    except ValueError:
        return str(uuid.uuid5(_RUNS, f"{run.model_name}\n{run.training_run_id}"))


def _event(run: Run, kind: str, time: str, outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "eventType": kind,
        "eventTime": time,
        "producer": PRODUCER,
        "schemaURL": f"{_EVENT}/RunEvent",
        "run": {"runId": run_uuid(run), "facets": {"driftline_trainingRun": _run_facet(run)}},
        "job": {"namespace": NAMESPACE, "name": f"train {run.model_name}", "facets": dict(_job_facets(run))},
        "inputs": [_input(data) for data in run.data_references],
        "outputs": list(outputs),
    }


def _facet(schema: str, **fields: Any) -> Facet:
    given = {name: value for name, value in fields.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": schema, **given}


def _core(name: str, version: str, /, **fields: Any) -> Facet:
    """Return one of OpenLineage's own facets."""
    return _facet(f"{_SPEC}/facets/{version}/{name}.json#/$defs/{name}", **fields)


def _run_facet(run: Run) -> Facet:
    """Return what OpenLineage has no facet for."""
    return _facet(
        f"{_EVENT}/RunFacet",
        trainingRunId=run.training_run_id,
        revision=run.revision,
        registeredBy=run.registered_by,
        environmentKind=run.environment_kind,
        environmentSha256=run.environment_sha256,
        uncommittedChangesSha256=run.git_changes_sha256,
        parameters=dict(run.parameters),
        metrics=dict(run.metrics),
        cost=dict(run.cost),
        features=dict(run.features),
        tags=dict(run.tags),
        waived=dict(run.waived),
    )


def _job_facets(run: Run) -> Iterator[tuple[str, Facet]]:
    yield (
        "jobType",
        _core(
            "JobTypeJobFacet", "2-0-4", processingType="BATCH", integration="DRIFTLINE", jobType="TRAINING"
        ),
    )
    url = _web_url(run.git_remote)
    if run.git_commit is not None and url is not None:
        yield (
            "sourceCodeLocation",
            _core(
                "SourceCodeLocationJobFacet",
                "1-1-0",
                type="git",
                url=url,
                repoUrl=run.git_remote,
                version=run.git_commit,
                branch=run.git_branch,
            ),
        )


def _web_url(remote: str | None) -> str | None:
    """Return where a repository is as a URL; None where its place is none, such as a folder."""
    if remote is None:
        return None
    if match := _SSH.fullmatch(remote):
        return f"https://{match[1]}/{match[2]}"
    return remote if urlsplit(remote).scheme else None


def _input(data: RunData) -> dict[str, Any]:
    namespace, name = _dataset(data.uri)
    facets: dict[str, Facet] = {}
    if data.fingerprint is not None:
        facets["version"] = _core("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=data.fingerprint)
    if data.columns:
        fields = [{"name": column, "type": kind} for column, kind in data.columns.items()]
        facets["schema"] = _core("SchemaDatasetFacet", "1-2-0", fields=fields)
    counted = {} if data.rows is None else {"inputStatistics": _rows(data.rows)}
    return {"namespace": namespace, "name": name, "facets": facets, "inputFacets": counted}


def _rows(rows: int) -> Facet:
    return _core("InputStatisticsInputDatasetFacet", "1-0-0", rowCount=rows)


def _dataset(uri: str) -> tuple[str, str]:
    """Return namespace and name of data as OpenLineage names it: the store it lies in, and where in there."""
    parts = urlsplit(uri)
    if not parts.scheme:
        return "file", uri
    place = parts.path or parts.netloc or uri
    namespace = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else parts.scheme
    query = f"?{parts.query}" if parts.query else ""
    return namespace, f"{place}{query}"


def _model(run: Run) -> dict[str, Any]:
    name = f"models/{quote(run.model_name, safe='')}"
    facets = {
        "version": _core("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=run.model_version),
        "datasetType": _core("DatasetTypeDatasetFacet", "1-0-1", datasetType="MODEL"),
    }
    if run.features:
        fields = [{"name": feature, "type": kind} for feature, kind in run.features.items()]
        facets["schema"] = _core("SchemaDatasetFacet", "1-2-0", fields=fields)
    if run.artifact_uri:
        artifacts = [
            {"path": each.path, "sha256": each.sha256, "bytes": each.bytes} for each in run.artifacts
        ]
        facets["driftline_artifact"] = _facet(f"{_EVENT}/DatasetFacet", uri=run.artifact_uri, files=artifacts)
    return {"namespace": NAMESPACE, "name": name, "facets": facets, "outputFacets": {}}
