"""Frameworks and libraries that driftline is at home in, at the versions that it was tried with."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.servers import environ, environment

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "integrations"
FRAMEWORKS = (
    "fastapi==0.165.0",
    "flask==3.1.3",
    "gunicorn==27.0.1",
    "lightgbm==4.7.0",
    "litestar==2.25.0",
    "opentelemetry-exporter-otlp-proto-http==1.45.2",
    "pandas==3.1.1",
    "polars==2.1.0",
    "scikit-learn==1.9.1",
    "uvicorn==0.54.0",
    "xgboost-cpu==3.2.0",
)
MLSERVER = ("mlserver==1.7.1",)
BENTOML = ("bentoml==1.4.40", "scikit-learn==1.9.1")
TIMEOUT_S = 240.0


def run_python(packages: Sequence[str], script: Path, *arguments: str, **variables: str) -> str:
    """Run a script in an environment with packages, beside the examples, and return what it prints.

    Raises:
        EnvironmentMissingError: as ``environment``.
    """
    home = environment(packages)
    others = environ(home, **variables)
    others["PYTHONPATH"] = f"{others['PYTHONPATH']}:{EXAMPLES}"
    done = subprocess.run(
        [str(home / "bin" / "python"), str(script), *arguments],
        env=others,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
