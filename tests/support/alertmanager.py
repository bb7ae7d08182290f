"""Alertmanager itself, with the configuration that driftline ships, on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import yaml

from tests.support.process import ServerProcess, answers, free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHIPPED = Path(__file__).resolve().parents[2] / "dashboards" / "alertmanager" / "alertmanager.yml"
START_TIMEOUT_S = 180.0
_WAITS = ("group_wait", "group_interval")


class AlertmanagerMissingError(SkipTest):
    """Alertmanager can't run here; the message says why. A test in which it is raised is skipped."""


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Alertmanager's own tool to its end.

    Raises:
        AlertmanagerMissingError: it is not installed.
    """
    return subprocess.run(
        [_program("amtool"), *map(str, arguments)], capture_output=True, text=True, check=False
    )


class Alertmanager(ServerProcess):
    """Alertmanager on 127.0.0.1. It waits a second where it would wait minutes.

    Args:
        folder: for its data, its log and the configuration that it runs with.
        webhook_url: where the shipped webhooks go instead, each on its own path.
        config: what it is configured with; its templates stand beside the file.
        text: the configuration's text, where it is not the file's.

    Raises:
        AlertmanagerMissingError: it is not installed.
    """

    def __init__(
        self, folder: Path, *, webhook_url: str, config: Path = SHIPPED, text: str | None = None
    ) -> None:
        self.port = free_ports(1)[0]
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(config.parent / "templates", folder / "templates", dirs_exist_ok=True)
        settings = yaml.safe_load(config.read_text() if text is None else text)
        _redirect(settings, webhook_url)
        _hurry(settings["route"])
        (folder / config.name).write_text(yaml.safe_dump(settings, sort_keys=False))
        command = [
            _program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={folder / config.name}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
        super().__init__("Alertmanager", command, folder / "alertmanager.log")

    def start(self) -> None:
        """Start it. Blocks until it is up.

        Raises:
            ServerError: it did not come up; the message shows the end of its log.
        """
        super().start()
        self.wait_until(lambda: answers(f"{self.url}/-/ready"), timeout_s=START_TIMEOUT_S)

    def post(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Give it alerts, as Prometheus does: each with `labels`, and `annotations`, `startsAt`, `endsAt`."""
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts",
            data=json.dumps(list(alerts)).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """Return the alerts it knows, with their `status`, of some labels."""
        query = urllib.parse.urlencode([("filter", f'{name}="{value}"') for name, value in labels.items()])
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?{query}", timeout=60) as answer:
            return json.load(answer)


def _redirect(settings: dict[str, Any], webhook_url: str) -> None:
    for receiver in settings["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            path = urllib.parse.urlsplit(webhook["url"]).path
            webhook["url"] = f"{webhook_url}{path}"


def _hurry(route: dict[str, Any]) -> None:
    route.update(dict.fromkeys((name for name in _WAITS if name in route), "1s"))
    for child in route.get("routes", []):
        _hurry(child)


def _program(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise AlertmanagerMissingError(
            f"there is no `{names[0]}` here (Debian's prometheus-alertmanager has it)"
        )
    return found
