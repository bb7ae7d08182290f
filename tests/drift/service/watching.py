"""Workers over traffic that is landed hour by hour, and what they say of it."""

from __future__ import annotations

from contextlib import contextmanager

from driftline.domain.names import VOLUME
from driftline.domain.streams import Stream
from driftline.drift.service.metrics import WORKER_METRICS
from driftline.drift.service.worker import DriftWorker
from driftline.metrics import Metrics
from driftline.store.verdicts import read_verdicts
from tests.support.landing import Landing, put
from tests.support.running import Place
from tests.support.traffic import MODEL, VERSION

HOUR = 490_008
HOUR_S = 3600
PER_HOUR = 40
STREAM = Stream(MODEL, VERSION, "production")
KEY = "model_name model_version segment reference feature scale_hours window_end".split()


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@contextmanager
def opened_landing(folder):
    """Open a log and a store; close them with all workers that were made for them."""
    folder.mkdir(exist_ok=True)
    landing = Landing(Place(folder))
    yield landing
    landing.close()


def make_worker(landing, clock=None, **arguments):
    arguments = {"late_quiet_s": 0.0, **arguments}
    metrics = Metrics(WORKER_METRICS)
    worker = DriftWorker(landing.store, metrics=metrics, monotonic=clock or Clock(), **arguments)
    landing.workers.append(worker)
    return worker


def put_hours(landing, first, end, *, rows=PER_HOUR, shift=lambda _: 0.0, begin=0, **names):
    """Land numbers from `begin` to `rows` of each hour; the same number is always the same event."""
    put(
        landing,
        (
            {
                "features": {"amount": (7.0 * number + hour) % 31 + shift(hour), "city": "Bergen"},
                "event_time": float((HOUR + hour) * HOUR_S + number),
            }
            for hour in range(first, end)
            for number in range(begin, rows)
        ),
        **names,
    )


def reported(landing, **conditions):
    """Return the verdicts on features, without those on how many predictions there are."""
    rows = read_verdicts(landing.client, limit=1_000_000, **conditions)
    rows = [row for row in rows if row["feature"] != VOLUME]
    volatile = {"judged_at"}
    return [{name: value for name, value in row.items() if name not in volatile} for row in rows]


def without_revisions(rows):
    left_out = {"revision", "revised_because"}
    return [{name: value for name, value in row.items() if name not in left_out} for row in rows]


def ends_of(rows):
    return {int(row["window_end"].timestamp()) // HOUR_S - HOUR for row in rows}


def put_late(landing, hour, *, rows=12):
    put_hours(landing, hour, hour + 1, begin=PER_HOUR, rows=PER_HOUR + rows)
