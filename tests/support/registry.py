"""A schema registry as services use it: Apicurio, which speaks the usual registry's protocol."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

from tests.support.java.jars import fetch
from tests.support.process import ServerProcess, answers, free_ports

if TYPE_CHECKING:
    from pathlib import Path

START_TIMEOUT_S = 180.0
_SMALL_JAVA = "-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData".split()


class Registry(ServerProcess):
    """A registry on 127.0.0.1. It keeps its port and what it holds, however it ended.

    Args:
        folder: for data and its log; a registry that was there before goes on.
        port: a free one where none is given.
        compatibility: what each new schema of a subject must be with the one before it.

    Raises:
        JavaMissingError: it can't run here.
    """

    def __init__(self, folder: Path, *, port: int | None = None, compatibility: str = "BACKWARD") -> None:
        unpacked = fetch("registry")
        (program,) = unpacked.glob("*-runner.jar")
        self.port = free_ports(1)[0] if port is None else port
        self._compatibility = compatibility
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": str(self.port),
            "quarkus.http.access-log.enabled": "false",
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "h2",
            # It tells clients of a schema when it is on disk, and not half a second before.
            "apicurio.datasource.url": f"jdbc:h2:file:{folder / 'registry'};WRITE_DELAY=0",
        }
        flags = [f"-D{name}={value}" for name, value in settings.items()]
        command = ["java", *_SMALL_JAVA, *flags, "-jar", str(program)]
        super().__init__("the schema registry", command, folder / "registry.log")

    @property
    def url(self) -> str:
        """What a client of a schema registry is given."""
        return f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def start(self) -> None:
        """Start it, on the same port and data. Blocks until it is up.

        Raises:
            ServerError: it did not come up; the message shows the end of its log.
        """
        super().start()
        self.wait_until(lambda: answers(f"{self.url}/subjects"), timeout_s=START_TIMEOUT_S)
        # Its own setting for this is enforced, but clients that ask get the answer that there is none.
        self._send("config", {"compatibility": self._compatibility})

    def _send(self, path: str, content: object) -> None:
        request = urllib.request.Request(
            f"{self.url}/{path}",
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
