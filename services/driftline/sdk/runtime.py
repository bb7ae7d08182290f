"""What a training run or a logging session ran on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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

_GIT_TIMEOUT_S = 10.0


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


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Return the commit of the work tree around a folder, and whether it has changes besides.

    Both are None when that is not known: no work tree, no commit yet, or no git.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None, None
    changes = _git(folder, "status", "--porcelain")
    return commit, None if changes is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, or None when it fails."""
    git = shutil.which("git")
    if git is None:
        return None
    try:
        finished = subprocess.run(  # noqa: S603 - the arguments are constants of this module.
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=_GIT_TIMEOUT_S,
            # Looking must not change the work tree's index.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return finished.stdout.strip()
