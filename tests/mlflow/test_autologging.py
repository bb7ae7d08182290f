"""A training script learns at once that it has no MLflow, and nobody who does not ask for one gets it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import driftline.mlflow
from driftline.errors import SettingError
from driftline.mlflow.client import open_client


def test_without_mlflow_there_is_nothing_to_register():
    with pytest.raises(SettingError, match="no MLflow here"):
        driftline.mlflow.autolog()


def test_a_store_that_only_mlflows_client_reads_needs_that_client():
    with pytest.raises(SettingError, match="mlflow server --backend-store-uri"):
        open_client("sqlite:///mlflow.db")


def test_importing_the_bridge_imports_nothing_that_a_training_script_would_notice():
    heavy = ("mlflow", "starlette", "uvicorn", "click", "ruamel", "urllib3", "prometheus_client", "numpy")
    program = f"import sys, driftline.mlflow; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
