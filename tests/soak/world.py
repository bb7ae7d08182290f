"""All that runs in a soak: a broker, a store, landers and clients, each a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from itertools import count
from pathlib import Path

from driftline.embedded import open_store
from driftline.lander.service import GROUP
from driftline.log import open_log
from driftline.store import migrate
from driftline.wire import TOPICS
from tests.support.kafka import Kafka
from tests.support.process import ServerProcess, free_ports
from tests.support.store_process import StoreProcess

PARTITIONS = 6
SPILL_DISK_MIB = 48
_LAG = re.compile(r"^driftline_lander_lag_events\{[^}]*\} (\S+)$", re.MULTILINE)


class SpillDisk:
    """A small disk of its own for the clients' spills, so that it can be filled up. Needs root.

    Args:
        folder: where it is mounted; without the right to mount, an ordinary folder that can't be filled.
        is_small: whether to mount it at all.
    """

    def __init__(self, folder: Path, *, is_small: bool) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SPILL_DISK_MIB}m", "driftline-soak", str(folder)]
        self.is_small = is_small and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no room."""
        with self._filler.open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(1 << 20))
            except OSError:
                return

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        """Take the disk away."""
        if self.is_small:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


class World:
    """Starts everything; ``close`` ends it.

    Args:
        folder: for everything.
        clients: how many processes log.
        landers: how many land.
        rate: events a second of all clients together.
        has_small_disk: whether the clients' spill has a small disk of its own.
    """

    def __init__(
        self, folder: Path, *, clients: int, landers: int, rate: float, has_small_disk: bool = True
    ) -> None:
        self._folder = folder
        self._rate = rate / clients
        self._numbers = count(1)
        self._metrics: dict[str, str] = {}
        self.journals = folder / "journals"
        self.journals.mkdir()
        self.disk = SpillDisk(folder / "spill", is_small=has_small_disk)
        self.kafka = Kafka(folder / "kafka")
        self.kafka.start()
        self.store = StoreProcess(folder / "store")
        self.store.start()
        self.store_url = self.store.url
        self.log_url = f"kafka://{self.kafka.bootstrap}?partitions={PARTITIONS}&spill={self.disk.folder}"
        self._environment = {"DRIFTLINE_STORE": self.store_url, "DRIFTLINE_LOG": self.log_url}
        with open_log(self.log_url) as log:
            log.ensure_topics(TOPICS)
        with open_store(self.store_url) as store:
            client = store.connect()
            migrate(client)
            client.close()
        self.landers = [self._lander() for _ in range(landers)]
        self.clients = [self._client(f"{number}") for number in range(clients)]
        for process in (*self.landers, *self.clients):
            process.start()

    def _lander(self) -> ServerProcess:
        name = f"lander-{next(self._numbers)}"
        port = free_ports(1)[0]
        self._metrics[name] = f"http://127.0.0.1:{port}/metrics"
        command = [sys.executable, "-m", "driftline.cli", "land", "--metrics-port", str(port)]
        # Poison is spread over all partitions, and a few sessions are not: some partitions hold nothing else.
        command += ["--dead-letter-limit", "1"]
        return ServerProcess(name, command, self._folder / f"{name}.log", self._environment)

    def _client(self, version: str) -> ServerProcess:
        name = f"client-{version}"
        command = [sys.executable, "-m", "tests.soak.client", "--log", self.log_url]
        command += ["--rate", str(self._rate), "--version", version]
        command += ["--journal", str(self.journals / f"{name}.jsonl")]
        path = os.pathsep.join(part for part in (str(Path.cwd()), os.environ.get("PYTHONPATH", "")) if part)
        return ServerProcess(name, command, self._folder / f"{name}.log", {"PYTHONPATH": path})

    def metrics_address(self, name: str) -> tuple[str, int]:
        """Return host and port of a lander's metrics."""
        host, _, port = self._metrics[name].removeprefix("http://").partition("/")[0].partition(":")
        return host, int(port)

    def join_lander(self) -> ServerProcess:
        """Start one lander more."""
        lander = self._lander()
        lander.start()
        return lander

    def forward(self) -> str:
        """Forward what clients that are gone have left on disk; return what the command says."""
        command = [sys.executable, "-m", "driftline.cli", "forward", "--log", self.log_url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def lag(self) -> int:
        """Return how many records have still to be landed."""
        with open_log(self.log_url) as log:
            return sum(log.reader(GROUP, TOPICS).lag().values())

    def reported_lag(self) -> float:
        """Return the lag that the landers tell Prometheus of, all of them and all topics together."""
        lag = 0.0
        for url in list(self._metrics.values()):
            try:
                with urllib.request.urlopen(url, timeout=1.0) as answer:
                    text = answer.read().decode()
            except OSError:  # Ended, or stopped.
                continue
            lag += sum(map(float, _LAG.findall(text)))
        return lag

    def close(self) -> None:
        """End everything."""
        for process in (*self.clients, *self.landers):
            process.stop()
        self.store.stop()
        self.kafka.stop()
        self.disk.close()
