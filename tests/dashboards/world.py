"""A small deployment with something to see on every dashboard, made by the real lander and worker.

Model ``till`` has eleven days of traffic. Its tenant t3 sends cents for euros in the last hours, which pages;
version 4 comes into service then, of a run that nobody registered. Some values are invalid, some events are
missing, some records can't be landed. What came true of the first nine days is known, and of five
predictions of the last.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from driftline import register_training_run
from driftline.drift import DriftSettings
from driftline.log import Record
from driftline.monitors import read_monitors
from driftline.profiling import Profiler
from driftline.store.segments import name_segments
from driftline.wire import PREDICTIONS_TOPIC
from tests.drift.service.watching import make_worker
from tests.support.landing import put
from tests.support.traffic import MODEL, RUN, VERSION, make_logger
from tests.support.training import WAIVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from driftline.metrics import Metrics
    from driftline.store.connection import Connection
    from tests.support.landing import Landing

HOUR_S = 3600
BEGIN_S = 1_772_323_200
"""2026-03-01T00:00:00Z."""

LEARNED_H, END_H = 9 * 24, 10 * 24
END_S = BEGIN_S + END_H * HOUR_S
NEWER = "4"
BROKEN = "tenant=t3"
MONITORS = """\
version: 1
models:
  till:
    segments: [tenant=t1, tenant=t2, tenant=t3]
    labels: {team: checkout}
"""
_PER_HOUR = 60


@dataclass(frozen=True)
class World:
    """What was made.

    Args:
        client: of the store.
        metrics: of each service that ran, by its name.
        event_ids: of the predictions of the last hours of version 3.
    """

    client: Connection
    metrics: Mapping[str, Metrics]
    event_ids: list[str]


def make_world(landing: Landing, folder: Path) -> World:
    """Fill a log and a store, and judge all of it."""
    register_training_run(
        RUN,
        model_name=MODEL,
        model_version=VERSION,
        waive=WAIVED,
        log=landing.place.log_url,
        git_commit="5c0ffee",
        artifact_uri="s3://models/till/3",
        reference=_reference(),
        reference_predictions=[number / 400 for number in range(400)],
    )
    landing.land()
    name_segments(landing.client, MODEL, ["tenant=t1", "tenant=t2", BROKEN])
    learned = list(_events(0, LEARNED_H))
    _tell_truths(landing, put(landing, learned), learned)
    event_ids = put(landing, _events(LEARNED_H, END_H, breaks=True))
    put(
        landing, _events(LEARNED_H, END_H, breaks=True, rows=20), model_version=NEWER, training_run_id="run-9"
    )
    put(landing, [{"features": {"amount": 50.0}, "event_time": 0.0}])  # Set aside: it is of 1970.
    _tell_outcomes(landing, event_ids[:5])
    landing.log.writer().append([Record(PREDICTIONS_TOPIC, b"", b"no event") for _ in range(2)])
    landing.land()
    _lose_some(landing.client)
    (folder / "monitors.yaml").write_text(MONITORS)
    worker = make_worker(
        landing,
        monitors=read_monitors(folder / "monitors.yaml", DriftSettings()),
        reference_patience_s=0.0,
    )
    worker.watch_once()
    worker.watch_once()
    _export_performance(landing)
    return World(landing.client, {"lander": landing.metrics, "watcher": worker.metrics}, event_ids)


def _reference() -> dict[str, list[Any]]:
    rng = random.Random("reference")
    rows = [_features(rng) for _ in range(400)]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _features(rng: random.Random) -> dict[str, Any]:
    return {
        "amount": rng.gauss(50.0, 10.0),
        "age": None if rng.random() < 0.1 else rng.gauss(40.0, 8.0),
        "city": rng.choice(["Ankara", "Bergen", "Cork"]),
    }


def _events(first: int, end: int, *, breaks: bool = False, rows: int = _PER_HOUR) -> Iterator[dict[str, Any]]:
    for hour in range(first, end):
        rng = random.Random(hour)
        for number in range(rows):
            tenant = f"t{number % 4}"
            features = _features(rng)
            if breaks and tenant == "t3":
                features["amount"] *= 100
            yield {
                "features": features,
                "prediction": rng.random(),
                "label": rng.choice(["yes", "no"]),
                "tags": {"tenant": tenant},
                "request_id": f"request-{hour}-{number}",
                "trace_id": f"{hour:016x}{number:016x}",
                "event_time": float(BEGIN_S + hour * HOUR_S + number * 50),
            }


def _tell_outcomes(landing: Landing, event_ids: list[str]) -> None:
    with make_logger(landing.log) as logger:
        too_large = {f"text {place}": "x" * 65_000 for place in range(20)}
        logger.log(features=too_large)  # Dropped, and counted.
        for event_id in event_ids:
            logger.log_outcome(event_id, actual=1.0)
    landing.land()


def _tell_truths(landing: Landing, event_ids: list[str], events: list[dict[str, Any]]) -> None:
    """Have all come true ten minutes later, the likelier the higher they were scored."""
    rng = random.Random("truths")
    with make_logger(landing.log) as logger:
        logger.log_outcomes(
            event_ids,
            [float(rng.random() < event["prediction"]) for event in events],
            observed_times=[event["event_time"] + 600 for event in events],
        )
    landing.land()


def _export_performance(landing: Landing) -> None:
    """Have a profiler publish how each version stands, as it does within minutes."""
    clock = count(1_000.0, 1_000.0)
    profiler = Profiler(landing.store, metrics=landing.metrics, monotonic=lambda: next(clock))
    profiler.run_until_idle()
    for _ in range(4):
        profiler.step()
    profiler.close()


def _lose_some(client: Connection) -> None:
    """Have a session say that it sent ten events more than landed."""
    client.command(
        "INSERT INTO sessions "
        "SELECT * REPLACE (beat_time + 1 AS beat_time, last_sequence + 10 AS last_sequence) "
        "FROM sessions FINAL WHERE model_version = '3' AND environment = 'production' "
        "ORDER BY last_sequence DESC LIMIT 1"
    )
