"""The composition as processes of this machine: each service's own command, with its own environment.

What stands for what: Apache Kafka and Apicurio as the tests start them; the gateway over ClickHouse's engine
in the server's place, which keeps no users, so that nobody creates any and all have one password; Prometheus
and Alertmanager of this machine, with the shipped files, which ask and call every second.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.deployment.composition import ROOT, Loopback, services
from tests.support.alertmanager import Alertmanager
from tests.support.process import ServerProcess, free_ports
from tests.support.prometheus import Prometheus
from tests.support.store_process import StoreProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.kafka import Kafka
    from tests.support.registry import Registry
    from tests.support.webhook import Webhook

EXAMPLE = ROOT / "examples" / "inference_service"
SERVICES = ("lander", "profiler", "watcher", "web")
"""driftline's own, as far as they stay."""

READY_TIMEOUT_S = 90.0
_SHOWN_LINES = 5
_PORTS = {"lander": "8322", "profiler": "8324", "watcher": "8323", "web": "8321", "inference": "8000"}
_PASSWORD = "one for all"
_NO_USERS = {"--users"}


class Deployed:
    """All of it. Started piece by piece, in the order of the file.

    Args:
        folder: for data, logs and secrets.
        kafka: the brokers.
        registry: the schema registry.
        webhook: who is called.
    """

    def __init__(self, folder: Path, *, kafka: Kafka, registry: Registry, webhook: Webhook) -> None:
        self._folder = folder
        self._services = services()
        self.store = StoreProcess(folder / "store", password=_PASSWORD)
        self.ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        addresses = {
            "kafka:9092": kafka.bootstrap,
            "registry:8080": f"127.0.0.1:{registry.port}",
            "clickhouse:8123": f"127.0.0.1:{self.store.port}",
            "inference:8000": f"127.0.0.1:{self.ports['inference']}",
            "0.0.0.0": "127.0.0.1",
            **{there: str(self.ports[name]) for name, there in _PORTS.items()},
        }
        folders = {
            "/run/secrets": self._secrets(),
            "/etc/driftline": ROOT / "deployment",
            "/var/lib/example": folder / "example",
        }
        self._here = Loopback(addresses, folders)
        self._processes: dict[str, ServerProcess] = {}
        self.alertmanager = Alertmanager(folder / "alertmanager", webhook_url=webhook.url)
        jobs = {f"driftline-{name}": f"127.0.0.1:{self.ports[name]}" for name in SERVICES}
        self.prometheus = Prometheus(
            folder / "prometheus",
            targets=jobs,
            alertmanager=self.alertmanager.address,
            links={"driftline_url": self.url("web")},
            is_hurried=False,
        )

    def _secrets(self) -> Path:
        folder = self._folder / "secrets"
        folder.mkdir(parents=True)
        for service in self._services.values():
            for name in service.secrets:
                (folder / name).write_text(f"{_PASSWORD}\n")
        return folder

    def url(self, name: str) -> str:
        """Return where a service answers."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def start_all(self) -> None:
        """Start everything, in order. Blocks until all of it is ready."""
        (self._folder / "example").mkdir()
        self.store.start()
        self.run("migrate")
        for name in SERVICES:
            self.start(name)
        self.run("train")
        self.start("inference")
        for name in self.ports:
            asked = self.url(name) + ("/healthz" if name == "inference" else "/readyz")
            process = self._processes[name]
            process.wait_until(partial(_is_fine, asked), timeout_s=READY_TIMEOUT_S)
        # Last: their alerts do not wait until a service has come up.
        self.alertmanager.start()
        self.prometheus.start()

    def start(self, name: str) -> None:
        """Start a service that stays."""
        log = self._folder / f"{name}.log"
        self._processes[name] = ServerProcess(name, self._line(name), log, self._environment(name))
        self._processes[name].start()

    def run(self, name: str, *arguments: str) -> str:
        """Run a service that ends by itself, with further arguments; return what it wrote."""
        line = [*self._line(name), *arguments]
        return self._finish(line, self._environment(name))

    def ask(self, *arguments: str) -> Any:
        """Return the JSON of one of driftline's questions, asked as the web service is set up."""
        line = [sys.executable, "-m", "driftline.cli", *arguments, "--json"]
        return json.loads(self._finish(line, self._environment("web")))

    def _finish(self, line: Sequence[str], environment: Mapping[str, str]) -> str:
        limits = {"timeout": READY_TIMEOUT_S, "env": dict(environment), "cwd": EXAMPLE}
        done = subprocess.run(line, check=False, capture_output=True, text=True, **limits)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def _line(self, name: str) -> list[str]:
        service = self._services[name]
        command = [self._here.translated(part) for part in service.command if part not in _NO_USERS]
        if service.is_driftline:
            return [sys.executable, "-m", "driftline.cli", *command]
        program = {
            "python": [str(EXAMPLE / command[1])],
            "uvicorn": ["-m", "uvicorn", "--app-dir", str(EXAMPLE)],
        }
        rest = command[2:] if command[0] == "python" else command[1:]
        return [sys.executable, *program[command[0]], *rest]

    def _environment(self, name: str) -> dict[str, str]:
        data = {"XDG_DATA_HOME": str(self._folder / f"{name}-data")}
        return self._here.environment(self._services[name]) | data

    def output(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of a service's log, each an object."""
        return [json.loads(line) for line in self._processes[name].output().splitlines()]

    def logs(self) -> str:
        """Return the end of all logs, for a person who wonders."""
        reported = []
        for name, process in self._processes.items():
            reported += [
                f"--- {name}",
                *(line[:300] for line in process.output().splitlines()[-_SHOWN_LINES:]),
            ]
        return "\n".join(reported)

    def lag(self) -> float:
        """Return how many records are still to be landed, as Prometheus scraped last."""
        return sum(
            float(series["value"][1]) for series in self.prometheus.query("driftline_lander_lag_events")
        )

    def judged_until(self) -> float:
        """Return when the last window ended that was judged, seconds since the Unix epoch."""
        found = self.prometheus.query("driftline_window_evaluated_timestamp_seconds")
        return max((float(series["value"][1]) for series in found), default=0.0)

    def end(self, *names: str) -> dict[str, tuple[int, float]]:
        """Tell services to end, all at once; return the exit status of each, and after how many seconds."""
        begun_s = time.monotonic()
        for name in names:
            self._processes[name].terminate()
        ended = {}
        for name in names:
            self._processes[name].wait_until_gone()
            ended[name] = (self._processes[name].exit_status, time.monotonic() - begun_s)
        return ended

    def stop_all(self) -> None:
        """Stop whatever runs."""
        for process in (*self._processes.values(), self.prometheus, self.alertmanager, self.store):
            process.stop()


def _is_fine(url: str) -> bool:
    return status_of(url) == 200


def status_of(url: str) -> int:
    """Return the status with which an address answers; 0: nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
