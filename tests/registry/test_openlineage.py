"""Runs as events of OpenLineage, checked by the classes that are generated from its published schemas."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from openlineage.client import generated
from openlineage.client.generated import base, schema_dataset

from driftline.registry.openlineage import run_events, run_uuid
from driftline.registry.runs import ArtifactFile, Run, RunData

KNOWN = {
    "training_run_id": "run-7f3a",
    "model_name": "flight delay",
    "model_version": "3",
    "registered_time": datetime(2026, 1, 31, 12, tzinfo=UTC),
    "registered_by": "ada@host",
    "artifact_uri": "s3://models/flight.pkl",
    "artifacts": (ArtifactFile("", "ab" * 32, 12),),
    "git_commit": "1f2e3d",
    "git_branch": "main",
    "git_remote": "git@github.com:team/flights.git",
    "git_dirty": False,
    "git_changes_sha256": None,
    "git_changes": None,
    "environment_kind": "packages",
    "environment_sha256": "cd" * 32,
    "environment_text": "numpy==2.0",
    "data_uri": "s3://lake/flights?versionId=5",
    "data_fingerprint": "sha256:12",
    "data_references": (
        RunData("training", "s3://lake/flights?versionId=5", "sha256:12", 1000, {"temp": "double"}),
        RunData("test", "/data/test.parquet", None, None, {}),
        RunData("more", "postgresql://me:secret@db:5432/flights", None, 0, {}),
    ),
    "reference_rows": 0,
    "reference_session_id": "",
    "runtime": {},
    "parameters": {"depth": "3"},
    "metrics": {"test/auc": 0.8},
    "cost": {"wall_s": 90.0},
    "features": {"temp": "double", "carrier": "string"},
    "tags": {"team": "delay"},
    "waived": {},
}
BARE = {
    **KNOWN,
    **dict.fromkeys(("artifact_uri", "git_commit", "git_branch", "git_remote", "environment_sha256")),
    **{name: {} for name in ("parameters", "metrics", "cost", "features", "tags")},
    "artifacts": (),
    "data_references": (),
    "waived": {"data": "bought"},
}

SCHEMA_OF = "_get_schema"
"""The method of a generated class that returns the address of its schema."""


def _schema(address):
    """Return what a schema's address names; releases of its project are apart in the later numbers."""
    match = re.fullmatch(
        r"https://openlineage\.io/spec/(?:facets/)?(\d+)-\d+-\d+/\w+\.json#/\$defs/(\w+)", address
    )
    return match[2], int(match[1])


def _classes():
    """Return the generated classes by what each was made from: a name, and its version's first number."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        imported = importlib.import_module(f"{generated.__name__}.{module.name}")
        for _, kind in inspect.getmembers(imported, inspect.isclass):
            if hasattr(kind, SCHEMA_OF):
                found[_schema(getattr(kind, SCHEMA_OF)())] = kind
    return found


CLASSES = _classes()


def facet(given):
    """Build a facet by the class of its schema, which refuses what the schema does not have."""
    fields = {key: value for key, value in given.items() if key not in {"_producer", "_schemaURL"}}
    kind = CLASSES[_schema(given["_schemaURL"])]
    if kind in {base.RunFacet, base.DatasetFacet}:  # Ours: what else they hold is free.
        return kind(producer=given["_producer"]).with_additional_properties(**fields)
    if kind is schema_dataset.SchemaDatasetFacet:
        fields["fields"] = [schema_dataset.SchemaDatasetFacetFields(**each) for each in fields["fields"]]
    return kind(producer=given["_producer"], **fields)


def facets(given):
    return {name: facet(each) for name, each in given.items()}


def dataset(kind, given, facets_name):
    own = {facets_name: facets(given[facets_name]), "facets": facets(given["facets"])}
    return kind(**{**given, **own})


def event(given):
    """Build an event by the classes of its schemas."""
    fields = dict(given)
    kind = CLASSES[_schema(fields.pop("schemaURL"))]
    fields["eventType"] = base.EventType(fields["eventType"])
    fields["run"] = base.Run(**{**fields["run"], "facets": facets(fields["run"]["facets"])})
    fields["job"] = base.Job(**{**fields["job"], "facets": facets(fields["job"]["facets"])})
    fields["inputs"] = [dataset(base.InputDataset, each, "inputFacets") for each in fields["inputs"]]
    fields["outputs"] = [dataset(base.OutputDataset, each, "outputFacets") for each in fields["outputs"]]
    return kind(**fields)


@pytest.mark.parametrize("fields", [KNOWN, BARE], ids=["whole", "bare"])
def test_events_are_what_the_published_schemas_ask_for(fields):
    events = [event(each) for each in run_events(Run(**fields))]
    assert [each.eventType.value for each in events] == ["START", "COMPLETE"]
    assert all(isinstance(each, base.RunEvent) for each in events)


def test_what_the_schemas_do_not_have_would_be_noticed():
    (started, _) = run_events(Run(**KNOWN))
    started["job"]["facets"]["jobType"]["surprise"] = 1
    with pytest.raises(TypeError):
        event(started)
    (started, _) = run_events(Run(**KNOWN))
    del started["inputs"][0]["name"]
    with pytest.raises(TypeError):
        event(started)


def test_inputs_are_the_data_and_the_output_is_the_version():
    _, ended = run_events(Run(**KNOWN))
    named = [(each["namespace"], each["name"]) for each in ended["inputs"]]
    assert named == [
        ("s3://lake", "/flights?versionId=5"),
        ("file", "/data/test.parquet"),
        ("postgresql://db:5432", "/flights"),
    ]
    assert ended["inputs"][0]["facets"]["version"]["datasetVersion"] == "sha256:12"
    assert [each["inputFacets"].get("inputStatistics", {}).get("rowCount") for each in ended["inputs"]] == [
        *(1000, None, 0)
    ]
    (output,) = ended["outputs"]
    assert (output["namespace"], output["name"]) == ("driftline", "models/flight%20delay")
    assert output["facets"]["version"]["datasetVersion"] == "3"


def test_no_password_of_a_databases_address_gets_into_an_event():
    assert "secret" not in str(run_events(Run(**KNOWN)))


def test_the_start_lies_as_long_before_the_end_as_the_run_took():
    started, ended = run_events(Run(**KNOWN))
    assert (started["eventTime"], ended["eventTime"]) == (
        "2026-01-31T11:58:30+00:00",
        "2026-01-31T12:00:00+00:00",
    )


def test_the_commit_is_named_with_where_its_repository_is():
    started, _ = run_events(Run(**KNOWN))
    place = started["job"]["facets"]["sourceCodeLocation"]
    assert (place["url"], place["version"]) == ("https://github.com/team/flights.git", "1f2e3d")


def test_a_run_has_one_uuid_and_another_run_another():
    run = Run(**KNOWN)
    assert run_uuid(run) == run_uuid(Run(**BARE))
    assert run_uuid(Run(**{**KNOWN, "training_run_id": "run-8"})) != run_uuid(run)
    own = "0190b8c5-4a4e-7c3a-9d1e-3b2f1a0c9d8e"
    assert run_uuid(Run(**{**KNOWN, "training_run_id": own})) == str(UUID(own))
