"""Prometheus itself, with the configuration and rules that driftline ships, on this machine."""

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
    from collections.abc import Mapping

SHIPPED = Path(__file__).resolve().parents[2] / "dashboards" / "prometheus" / "prometheus.yml"
START_TIMEOUT_S = 180.0
_INTERVAL = "1s"


class PrometheusMissingError(SkipTest):
    """Prometheus can't run here; the message says why. A test in which it is raised is skipped."""


def promtool(*arguments: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Prometheus' own tool to its end, in a folder.

    Raises:
        PrometheusMissingError: it is not installed.
    """
    return subprocess.run(
        [_program("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False, cwd=folder
    )


class Prometheus(ServerProcess):
    """Prometheus on 127.0.0.1. It asks every second.

    Args:
        folder: for its data, its log and the configuration that it runs with.
        targets: `host:port` by job; jobs that are not named are left out.
        alertmanager: `host:port`; None: nobody is called.
        links: external labels, such as `driftline_url`, that replace the shipped ones.
        config: what it is configured with; its rules stand beside the file.
        is_hurried: whether alerts wait for as many scrapes as the shipped rules say, so for seconds, and not
            for as long: a busy machine that stands still for a moment then calls somebody.

    Raises:
        PrometheusMissingError: it is not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        targets: Mapping[str, str],
        alertmanager: str | None = None,
        links: Mapping[str, str] | None = None,
        config: Path = SHIPPED,
        is_hurried: bool = True,
    ) -> None:
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        settings = yaml.safe_load(config.read_text())
        interval_s = _seconds(settings["global"]["scrape_interval"]) if is_hurried else 1
        _aim(settings, targets, alertmanager)
        settings["global"]["external_labels"].update(links or {})
        (folder / config.name).write_text(yaml.safe_dump(settings, sort_keys=False))
        (folder / "rules").mkdir(exist_ok=True)
        for rules in sorted((config.parent / "rules").glob("*.yml")):
            (folder / "rules" / rules.name).write_text(_hurried(rules.read_text(), interval_s))
        command = [
            _program("prometheus"),
            f"--config.file={folder / config.name}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--rules.alert.resend-delay=1s",
        ]
        super().__init__("Prometheus", command, folder / "prometheus.log")

    def start(self) -> None:
        """Start it. Blocks until it is up.

        Raises:
            ServerError: it did not come up; the message shows the end of its log.
        """
        super().start()
        self.wait_until(lambda: answers(f"{self.url}/-/ready"), timeout_s=START_TIMEOUT_S)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression gives now: series with `metric` and `value`."""
        return self._ask("query", query=expression)["result"]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are pending or firing: `labels`, `annotations`, `state`, `activeAt`."""
        return self._ask("alerts")["alerts"]

    def _ask(self, what: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{what}?{query}", timeout=60) as answer:
            return json.load(answer)["data"]


def _aim(settings: dict[str, Any], targets: Mapping[str, str], alertmanager: str | None) -> None:
    jobs = [job for job in settings["scrape_configs"] if job["job_name"] in targets]
    for job in jobs:
        job["static_configs"][0]["targets"] = [targets[job["job_name"]]]
    settings["scrape_configs"] = jobs
    settings["global"].update(
        scrape_interval=_INTERVAL, evaluation_interval=_INTERVAL, scrape_timeout=_INTERVAL
    )
    called = [] if alertmanager is None else [alertmanager]
    settings["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": called}]}]


def _hurried(rules: str, interval_s: int) -> str:
    """Return rules whose alerts wait for a second per interval of the shipped ones, and do not linger."""
    read = yaml.safe_load(rules)
    for rule in (rule for group in read["groups"] for rule in group["rules"]):
        if "for" in rule:
            rule["for"] = f"{_seconds(rule['for']) // interval_s}s"
        if "keep_firing_for" in rule:
            rule["keep_firing_for"] = "0s"
    return yaml.safe_dump(read, sort_keys=False)


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise PrometheusMissingError(f"there is no `{name}` here (Debian's prometheus has it)")
    return found
