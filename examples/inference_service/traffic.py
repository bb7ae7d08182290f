"""Traffic for the service: weeks of it in a minute or two, then on as time goes on.

Patients are drawn from those that the model has not seen. Each has a time at which it was seen; the service
logs it as the event's, so that what happened weeks ago can be sent now. A named fault may break what is sent,
from one hour to another, counted from the first.
"""

import argparse
import json
import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from model import FEATURES, Row, read_patients

HOUR_S = 3600
_LIVE_S = 30
_MOST_PATIENTS = 500
_CLINICS = ("north", "north", "north", "south", "south", "harbour")
_JITTER = 0.02
_NIGHT_SHARE = 0.3

FAULTS: dict[str, Callable[[Row], Row]] = {
    "none": dict,
    "blood_pressure_in_kpa": lambda row: {**row, "blood_pressure": row["blood_pressure"] * 0.133322},
    "glucose_missing": lambda row: {**row, "glucose": None},
    "hdl_stuck": lambda row: {**row, "hdl": 40.0},
    "sex_renamed": lambda row: {**row, "sex": {"1": "F", "2": "M"}[row["sex"]]},
}
"""What may happen upstream, by name."""


@dataclass(frozen=True)
class Fault:
    """What breaks, from which hour to which, counted from the first."""

    name: str
    from_hour: float
    until_hour: float

    def apply(self, row: Row, hour: float) -> Row:
        """Return a patient as it arrives."""
        return FAULTS[self.name](row) if self.from_hour <= hour < self.until_hour else row


class Traffic:
    """Patients, hour by hour. The same seed sends the same patients.

    Args:
        start_s: the first moment, seconds since 1970-01-01T00:00:00Z.
        per_hour: patients an hour by day; at night fewer come.
        fault: what breaks.
        random: where chance comes from.
    """

    def __init__(self, *, start_s: float, per_hour: float, fault: Fault, random: random.Random) -> None:
        rows, _, trained = read_patients()
        self._rows = rows[trained:]
        self._start_s = start_s
        self._per_hour = per_hour
        self._fault = fault
        self._random = random

    def between(self, begin_s: float, end_s: float) -> list[Row]:
        """Return the patients who are seen in [begin, end), as requests have them."""
        is_day = 7 <= datetime.fromtimestamp(begin_s, UTC).hour < 21
        rate = self._per_hour / HOUR_S * (1.0 if is_day else _NIGHT_SHARE)
        patients, at_s = [], begin_s + self._random.expovariate(rate)
        while at_s < end_s:
            patients.append(self._patient(at_s))
            at_s += self._random.expovariate(rate)
        return patients

    def _patient(self, at_s: float) -> Row:
        drawn = self._random.choice(self._rows)
        row = {
            name: value if isinstance(value, str) else value * self._random.gauss(1.0, _JITTER)
            for name, value in drawn.items()
        }
        return {
            **{name: self._fault.apply(row, (at_s - self._start_s) / HOUR_S)[name] for name in FEATURES},
            "patient_id": f"p{self._random.randrange(10_000):04d}",
            "clinic": self._random.choice(_CLINICS),
            "seen_at": datetime.fromtimestamp(at_s, UTC).isoformat(),
        }


def steps(
    start_s: float, end_s: float, *, now: Callable[[], float], wait: Callable[[float], bool]
) -> Iterator[tuple[float, float]]:
    """Yield from when to when to send: the hours that have passed, then a little at a time as it passes.

    Args:
        start_s: the first moment.
        end_s: the last.
        now: the clock.
        wait: waits for so many seconds; true: it is time to end.
    """
    begin_s = start_s
    while begin_s < end_s:
        step_s = HOUR_S if begin_s + HOUR_S <= now() else _LIVE_S
        until_s = min(begin_s + step_s, end_s)
        if wait(max(0.0, until_s - now())):
            return
        yield begin_s, until_s
        begin_s = until_s


def send(client: httpx.Client, patients: list[Row]) -> int:
    """Have the service predict, under a trace of their own; return how many that were."""
    for first in range(0, len(patients), _MOST_PATIENTS):
        traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        asked = {"patients": patients[first : first + _MOST_PATIENTS]}
        client.post("/predict", json=asked, headers={"traceparent": traceparent}).raise_for_status()
    return len(patients)


class Progress:
    """How far the traffic came, over restarts. What fails after it was sent is the one thing sent twice.

    Args:
        path: where it is kept; None: nowhere.
        start_s: the first moment, where nothing is kept yet.
        first_s: the first moment that was not sent yet, likewise.
    """

    def __init__(self, path: Path | None, *, start_s: float, first_s: float) -> None:
        self._path = path
        self.start_s, self.sent_until_s = start_s, first_s
        if path is not None and path.exists():
            kept = json.loads(path.read_text())
            self.start_s, self.sent_until_s = kept["start_s"], kept["sent_until_s"]

    def reach(self, until_s: float) -> None:
        """Keep that everything before a moment was sent."""
        self.sent_until_s = until_s
        if self._path is not None:
            draft = self._path.with_suffix(".draft")
            draft.write_text(json.dumps({"start_s": self.start_s, "sent_until_s": until_s}))
            draft.rename(self._path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])

    def option(name: str, default: object, kind: Callable[[str], object], text: str) -> None:
        variable = f"TRAFFIC_{name.upper()}"
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            default=os.environ.get(variable) or default,
            type=kind,
            help=f"{text} ({variable}; default: {default})",
        )

    option("url", "http://127.0.0.1:8000", str, "of the service")
    option("start", "", str, "the first hour, in ISO 8601; without it, so many hours ago as --history says")
    option("history", 504.0, float, "hours that have passed already")
    option("hours", 0.0, float, "end after so many hours; 0: go on as time goes on")
    option("skip", 0.0, float, "hours at the beginning that were sent before")
    option("state", "", str, "file that remembers how far it came, so that a restart sends nothing twice")
    option("per_hour", 60.0, float, "patients an hour by day")
    option("hours_per_second", 0.0, float, "send history no faster than this; 0: as fast as it goes")
    option("fault", "none", str, f"one of {', '.join(FAULTS)}")
    option("fault_from", 0.0, float, "the fault's first hour")
    option("fault_until", float("inf"), float, "the hour in which it is mended")
    option("seed", 1, int, "of chance")
    options = parser.parse_args()
    if options.fault not in FAULTS:
        parser.error(f"fault {options.fault!r} is not known; one of {', '.join(FAULTS)}")
    return options


def main() -> None:
    """Send until the end, or until asked to stop."""
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    start_s = (
        datetime.fromisoformat(options.start).timestamp()
        if options.start
        else time.time() // HOUR_S * HOUR_S - options.history * HOUR_S
    )
    progress = Progress(
        Path(options.state) if options.state else None,
        start_s=start_s,
        first_s=start_s + options.skip * HOUR_S,
    )
    start_s, first_s = progress.start_s, progress.sent_until_s
    end_s = start_s + options.hours * HOUR_S if options.hours else float("inf")
    traffic = Traffic(
        start_s=start_s,
        per_hour=options.per_hour,
        fault=Fault(options.fault, options.fault_from, options.fault_until),
        random=random.Random(f"{options.seed}/{first_s}"),
    )
    pause_s = 1 / options.hours_per_second if options.hours_per_second else 0.0
    sent = 0
    with httpx.Client(base_url=options.url, timeout=30.0) as client:
        for begin_s, until_s in steps(first_s, end_s, now=time.time, wait=stop.wait):
            sent += send(client, traffic.between(begin_s, until_s))
            progress.reach(until_s)
            if until_s - begin_s == HOUR_S and stop.wait(pause_s):
                break
    until = datetime.fromtimestamp(progress.sent_until_s, UTC)
    print(f"{sent} patients up to {until:%Y-%m-%dT%H:%MZ}", flush=True)


if __name__ == "__main__":
    main()
