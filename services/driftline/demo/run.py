"""The demo: everything in one process, and the inference service that feeds it in another."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from driftline.demo.flights import feed_errors, load_flights, load_weather
from driftline.demo.summary import PlannedFault, confirm, summarize
from driftline.drift import DriftSettings
from driftline.errors import DriftlineError, SettingError
from driftline.lander.service import GROUP
from driftline.monitors import read_monitors
from driftline.store.summary import read_situation
from driftline.store.url import embedded_url
from driftline.up import Up
from driftline.wire import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.domain.incidents import Answer, Incident

MONITORS: Final = Path(__file__).with_name("monitors.yaml")
"""What is monitored in the demo."""

_MARKER = "made-by-driftline-demo"
_POLL_S = 1.0
_PATIENCE_S = 600.0


class DemoError(DriftlineError):
    """The demo could not be run to its end."""


@dataclass(slots=True)
class Progress:
    """How far the demo is.

    Args:
        phase: what is being done now, in words.
        events: how many predictions will be served; 0 as long as that is not known.
        served: predictions that the inference service logged.
        landed: of them, in the store.
        hours: hours to be judged, by what was served so far.
        judged: of them, judged.
        until: the flights' own time that was served.
    """

    phase: str = "starting"
    events: int = 0
    served: int = 0
    landed: int = 0
    hours: int = 0
    judged: int = 0
    until: str = ""
    faults: list[PlannedFault] = field(default_factory=list)


def prepare_folder(folder: Path) -> None:
    """Make the demo's folder, empty.

    Raises:
        SettingError: it holds something that is not an earlier demo's.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARKER).exists():
            raise SettingError(
                f"{folder} holds something that no demo made; name an empty folder with --folder"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).touch()


class Demo:
    """One run of the demo.

    Args:
        folder: for log, store and model; emptied first.
        events: at most so many predictions; None: the whole year.
        port: of the pages; 0 takes a free one.

    Raises:
        DriftlineError: the folder holds other things, or what ``Up`` raises.
    """

    def __init__(self, folder: Path, *, events: int | None = None, port: int = 0) -> None:
        prepare_folder(folder)
        self.log_url = (folder / "log").as_uri()
        self.store_url = embedded_url(folder / "store")
        self._artifact = folder / "model.joblib"
        self._events = events
        self.progress = Progress()
        self.up = Up(
            log_url=self.log_url,
            store_url=self.store_url,
            port=port,
            monitors=read_monitors(MONITORS, DriftSettings()),
            answer=self._answer,
        )

    def _answer(self, incident: Incident) -> Answer | None:
        """Answer an incident as soon as it is found, so that each run comes to the same verdicts."""
        return confirm(incident, self.progress.faults, now=datetime.now(UTC))

    def run(self, show: Callable[[Progress], None]) -> dict[str, Any]:
        """Run to the end; return the summary. Calls ``show`` a few times a second.

        Raises:
            DemoError: the inference service or a service of driftline's failed.
        """
        began_s = time.monotonic()
        command = [sys.executable, "-m", "driftline.demo.client", "--log", self.log_url]
        command += ["--artifact", str(self._artifact)]
        if self._events is not None:
            command += ["--events", str(self._events)]
        connection = self.up.store.connect()
        reader = self.up.log.reader(GROUP, TOPICS)
        service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own module
        listener = threading.Thread(target=self._listen, args=(service,), daemon=True)
        listener.start()
        try:
            while service.poll() is None or not self._is_done(connection, reader):
                if failed := self.up.failed():
                    raise DemoError(f"{failed} ended by an error; see above")
                if service.returncode:
                    raise DemoError(
                        f"the inference service ended with status {service.returncode}; see above"
                    )
                self._look(connection)
                show(self.progress)
                time.sleep(_POLL_S)
            listener.join()
            self._look(connection)
            show(self.progress)
            errors = feed_errors(load_weather(), load_flights())
            return {
                **summarize(connection, self.progress.faults, errors),
                "seconds": time.monotonic() - began_s,
            }
        finally:
            service.kill()
            service.wait()
            reader.close()
            connection.close()

    def _listen(self, service: subprocess.Popen[str]) -> None:
        """Take in what the inference service tells of itself."""
        for line in service.stdout or ():
            message = json.loads(line)
            phase = message["phase"]
            self.progress.phase = _PHASES[phase]
            if phase == "loaded":
                self.progress.events = message["events"]
            elif phase == "trained":
                self.progress.faults = [PlannedFault.from_message(fault) for fault in message["faults"]]
            elif phase == "serving":
                self.progress.served = message["served"]
                self.progress.until = message["until"]

    def _look(self, connection: Any) -> None:
        found = read_situation(connection)
        self.progress.landed, self.progress.hours = found.landed, found.hours
        self.progress.judged = found.judged

    def _is_done(self, connection: Any, reader: Any) -> bool:
        if any(reader.lag().values()):
            return False
        self.progress.phase = "judging what is left"
        self._look(connection)
        return self.progress.judged >= self.progress.hours


_PHASES = {
    "loaded": "training on the flights of January to March",
    "trained": "serving the flights from April on",
    "serving": "serving the flights from April on",
    "served": "landing what is left",
}
