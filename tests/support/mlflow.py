"""MLflow's own server, and code that trains on it, in a Python environment of their own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.support.process import ServerProcess, answers, free_ports
from tests.support.servers import environ, environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MLFLOW = ("mlflow==3.17.2",)
TIMEOUT_S = 600.0

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
_SERVED = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # Six processes more, of which nothing here is asked.
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
}


class MlflowServer:
    """A tracking server with a registry in SQLite, which serves the files of models itself.

    Args:
        folder: what it keeps, and its log.
    """

    def __init__(self, folder: Path) -> None:
        self.home = environment(MLFLOW)
        self.folder = folder
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.store = f"sqlite:///{folder / 'mlflow.db'}"
        command = [
            *(str(self.home / "bin" / "python"), "-m", "mlflow", "server"),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            *("--backend-store-uri", self.store),
            *("--artifacts-destination", str(folder / "artifacts")),
        ]
        self._process = ServerProcess(
            "mlflow", command, folder / "mlflow.log", environ(self.home, **_QUIET, **_SERVED)
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process.start()
        self._process.wait_until(lambda: answers(f"{self.url}/health"), timeout_s=TIMEOUT_S)

    def stop(self) -> None:
        """Stop it as an operator would."""
        self._process.stop()

    def python(self, script: Path, *arguments: str, **others: str) -> str:
        """Run a script with this server as MLflow's, and return what it prints.

        Args:
            script: where it lies; there it runs.
            arguments: of the script.
            others: variables.
        """
        variables: Mapping[str, str] = {"MLFLOW_TRACKING_URI": self.url, **_QUIET, **others}
        done = subprocess.run(
            [str(self.home / "bin" / "python"), str(script), *arguments],
            cwd=script.parent,
            env=environ(self.home, **variables),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
