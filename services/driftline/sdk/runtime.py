"""What a training run or a logging session ran on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL_PACKAGES: Final = (
    "catboost",
    "driftline",
    "flax",
    "jax",
    "joblib",
    "keras",
    "lightgbm",
    "mlflow",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "polars",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "statsmodels",
    "tensorflow",
    "torch",
    "transformers",
    "xgboost",
)
"""Packages whose versions can change what a model learns or answers."""


def package_version(name: str) -> str | None:
    """Return the version of an installed package, which need not be imported; None: it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def client() -> str:
    """Return this library's name and version; from a checkout that is not installed, ``unknown``."""
    return f"driftline-python/{package_version('driftline') or 'unknown'}"


def runtime_versions() -> Mapping[str, str]:
    """Return the interpreter, the platform and the versions of installed packages that matter to a model."""
    packages = {name: package_version(name) for name in MODEL_PACKAGES}
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        **{name: found for name, found in packages.items() if found is not None},
    }
