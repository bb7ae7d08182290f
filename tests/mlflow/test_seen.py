"""What MLflow's REST API answers becomes values, also where it leaves out or quotes what it likes."""

from __future__ import annotations

import json
import math

import pytest

from driftline.mlflow.errors import MlflowError
from driftline.mlflow.seen import read_logged_model, read_model, read_run, read_version


def test_aliases_of_a_model_name_versions():
    aliases = [{"alias": "champion", "version": "2"}, {"alias": "old", "version": 1}]
    assert read_model({"name": "m", "aliases": aliases}).aliases == {"champion": "2", "old": "1"}


def test_a_prompt_is_no_model():
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    assert read_model({"name": "m", "tags": tags}).is_prompt


@pytest.mark.parametrize(
    ("answer", "model_id"),
    [
        ({"model_id": "m-1"}, "m-1"),
        ({"source": "models:/m-2"}, "m-2"),
        ({"source": "models:/flight-delay/3"}, ""),
        ({"source": "s3://bucket/m-2"}, ""),
    ],
)
def test_a_version_may_be_a_logged_model(answer, model_id):
    assert read_version({"name": "m", "version": "1", **answer}).logged_model_id == model_id


def test_a_metric_is_its_last_value_and_has_the_name_of_its_dataset():
    metrics = [
        {"key": "auc", "value": 0.7, "step": "1", "timestamp": 5},
        {"key": "auc", "value": 0.9, "step": "2", "timestamp": 4},
        {"key": "auc", "value": 0.8, "dataset_name": "test"},
        {"key": "loss", "value": "NaN"},
        {"key": "odd", "value": {}},
        {"value": 1},
    ]
    found = read_run({"info": {"run_id": "r"}, "data": {"metrics": metrics}}).metrics
    assert (found["auc"], found["test/auc"]) == (0.9, 0.8)
    assert math.isnan(found["loss"])
    assert math.isnan(found["odd"])
    assert "" not in found


@pytest.mark.parametrize(
    ("source_type", "source", "place"),
    [
        ("s3", {"uri": "s3://flights/2013"}, "s3://flights/2013"),
        ("local", {"uri": "flights.csv"}, "flights.csv"),
        ("delta_table", {"delta_table_name": "main.flights"}, "main.flights"),
        ("code", {"tags": {"mlflow.source.name": "train.py"}}, "code:train.py"),
        ("hugging_face", {"split": "all"}, "hugging_face:flights"),
        ("", None, "dataset:flights"),
    ],
)
def test_a_dataset_lies_where_its_source_says_it(source_type, source, place):
    dataset = {
        "name": "flights",
        "digest": "1a2b",
        "source_type": source_type,
        "source": "no JSON" if source is None else json.dumps(source),
        "schema": json.dumps({"mlflow_colspec": [{"type": "double", "name": "distance"}, {"type": "long"}]}),
        "profile": json.dumps({"num_rows": 7}),
    }
    inputs = {
        "dataset_inputs": [{"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "x"}]}]
    }
    (found,) = read_run({"info": {"run_id": "r"}, "inputs": inputs}).datasets
    assert (found.place, found.context, found.digest) == (place, "x", "1a2b")
    assert (found.rows, found.columns) == (7, {"distance": "double"})


def test_a_run_names_the_models_that_it_logged():
    outputs = {"model_outputs": [{"model_id": "m-1"}, {"model_id": "m-2"}]}
    assert read_run({"info": {"run_id": "r"}, "outputs": outputs}).model_ids == ("m-1", "m-2")


@pytest.mark.parametrize("answer", [None, [], {}, "text", {"name": ""}, {"name": {}}, {"info": None}])
@pytest.mark.parametrize("read", [read_model, read_version, read_run, read_logged_model])
def test_what_is_none_of_these_is_an_error_that_shows_it(read, answer):
    with pytest.raises(MlflowError, match="MLflow answered what is no "):
        read(answer)


def test_fields_of_any_kind_break_nothing():
    odd = {"name": "m", "version": 3, "creation_timestamp": "soon", "tags": "none", "run_id": None}
    found = read_version(odd)
    assert (found.version, found.created_ms, found.tags, found.run_id) == ("3", 0, {}, "")
