"""Of each file of a version the digest is kept; a file that can not be read costs no other."""

from __future__ import annotations

import hashlib
import json

import pytest

from driftline.mlflow.errors import ArtifactError, MlflowAwayError
from driftline.mlflow.files import read_model_files
from driftline.mlflow.source import Keeper, Place
from tests.mlflow.fake import FakeMlflow

PLACE = Place(Keeper.RUN, "r", "model", "mlflow-artifacts:/1/r/model")
SIGNATURE = json.dumps([{"type": "double", "name": "distance"}, {"type": "string", "name": "carrier"}])
DESCRIPTION = f"""\
flavors:
  python_function: {{python_version: 3.12.1}}
mlflow_version: 3.17.2
signature:
  inputs: '{SIGNATURE}'
"""


@pytest.fixture
def mlflow():
    return FakeMlflow()


def test_each_file_has_its_digest_and_size(mlflow):
    found = {each.path: (each.sha256, each.bytes) for each in read_model_files(mlflow, PLACE).files}
    assert found["model.pkl"] == (hashlib.sha256(b"weights").hexdigest(), 7)
    assert len(found) == 3


def test_a_description_says_features_and_versions(mlflow):
    mlflow.kept["MLmodel"] = DESCRIPTION.encode()
    found = read_model_files(mlflow, PLACE)
    assert found.features == {"distance": "double", "carrier": "string"}
    assert found.runtime == {"python": "3.12.1", "mlflow": "3.17.2"}


@pytest.mark.parametrize("text", [b"", b"signature: 7\nflavors: []\n", b"signature: {inputs: '{'}\n"])
def test_a_description_that_says_nothing_costs_nothing(mlflow, text):
    mlflow.kept["MLmodel"] = text
    found = read_model_files(mlflow, PLACE)
    assert (dict(found.features), dict(found.runtime)) == ({}, {})
    assert found.unread == ""


def test_requirements_go_before_a_conda_file(mlflow):
    mlflow.kept["conda.yaml"] = b"dependencies: []\n"
    assert read_model_files(mlflow, PLACE).environment.kind == "requirements"
    del mlflow.kept["requirements.txt"]
    assert read_model_files(mlflow, PLACE).environment.kind == "conda"
    del mlflow.kept["conda.yaml"]
    assert read_model_files(mlflow, PLACE).environment is None


def test_where_one_file_can_not_be_read_no_digests_are_kept_and_the_texts_are(mlflow):
    """Some digests of many would look like all of them."""
    mlflow.broken = frozenset({"MLmodel"})
    found = read_model_files(mlflow, PLACE)
    assert found.files == []
    assert found.unread == "MLmodel: status 500"
    assert found.environment.text == "scikit-learn==1.7.0\n"


def test_of_a_large_model_only_what_describes_it_is_read(mlflow):
    found = read_model_files(mlflow, PLACE, limit_bytes=20)
    assert "at most 20 are read" in found.unread
    assert found.environment is not None
    assert not any("model.pkl" in each for each in mlflow.asked)


def test_a_place_with_no_files_says_so(mlflow):
    mlflow.kept.clear()
    assert "there are none at" in read_model_files(mlflow, PLACE).unread
    assert "does not say" in read_model_files(mlflow, None).unread
    mlflow.error = ArtifactError("no such bucket")
    assert read_model_files(mlflow, PLACE).unread == "no such bucket"


def test_an_mlflow_that_is_away_is_no_matter_of_files(mlflow):
    mlflow.error = MlflowAwayError("away")
    with pytest.raises(MlflowAwayError):
        read_model_files(mlflow, PLACE)
