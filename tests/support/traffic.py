"""Made traffic whose every count is known, and the books that a store must show of it."""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from driftline import PredictionLogger, register_training_run
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store.visible import visible
from tests.support.training import WAIVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickhouse_connect.driver.client import Client

    from driftline.store import Store

MODEL, VERSION, RUN = "till", "3", "run-7f3a"
START_S = 1_769_860_800
"""2026-01-31T12:00:00Z: twelve hours before a month ends."""

HOUR_S = 3600
_CITIES = ("Ankara", "Bergen", "Cork")
_SPAN_HOURS = 36
REFERENCE_ROWS = 300


def event(number: int, total: int) -> dict[str, Any]:
    """Return the arguments of ``log`` for one event of ``total``, which are spread over 36 hours."""
    age: float | None = float(number % 61)
    if number % 11 == 0:
        age = None
    elif number % 13 == 0:
        age = math.nan
    elif number % 17 == 0:
        age = -math.inf
    return {
        "features": {
            "amount": (number % 97) * 1.5 - 3.5,
            "age": age,
            "city": _CITIES[number % 3],
            "colour": None if number % 5 == 0 else "red",
        },
        "prediction": (number % 100) / 100,
        "label": "yes" if number % 4 == 0 else "no",
        "event_time": START_S + _SPAN_HOURS * HOUR_S * number / total,
    }


@dataclass
class Books:
    """What the tables hold of one environment, summed up."""

    rows: int = 0
    event_ids: int = 0
    numeric: Counter[str] = field(default_factory=Counter)
    features: dict[str, tuple[int, ...]] = field(default_factory=dict)
    categories: Counter[tuple[str, str]] = field(default_factory=Counter)
    session_rows: int = 0
    sequences: int = 0


def expected_books(total: int, numbers: Sequence[int] | None = None) -> Books:
    """Return what ``total`` events come to, or only those of some numbers."""
    chosen = range(total) if numbers is None else numbers
    books = Books(len(chosen), len(chosen), session_rows=len(chosen), sequences=len(chosen))
    seen: dict[str, list[int]] = {}
    for number in chosen:
        arguments = event(number, total)
        books.categories["prediction.label", arguments["label"]] += 1
        for name, value in {**arguments["features"], "prediction.number": arguments["prediction"]}.items():
            if isinstance(value, str):
                books.categories[name, value] += 1
                continue
            counts = seen.setdefault(name, [0, 0, 0, 0])
            counts[_kind(value)] += 1
            books.numeric[name] += _kind(value) == 0
    books.numeric = +books.numeric
    books.features = {name: tuple(counts) for name, counts in seen.items()}
    return books


def _kind(value: float | None) -> int:
    """Return the place of a value's kind: finite, null, NaN, infinite."""
    if value is None:
        return 1
    return 2 if math.isnan(value) else 3 * math.isinf(value)


def read_books(client: Client, environment: str = "production") -> Books:
    """Sum up the tables as they stand: the raw rows, and what is derived of them by now."""

    def ask(columns: str, table: str, group: str = "") -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM {table} WHERE environment = {{environment:String}} {group}"
        return client.rows(query, parameters={"environment": environment})

    books = Books()
    ((books.rows, books.event_ids),) = ask("count(), uniqExact(event_id)", "predictions")
    whole = f"AND segment = '' AND {visible()}"
    missing = dict(ask("feature, sum(count)", "profiles", f"{whole} AND kind = 'missing' GROUP BY feature"))
    numeric = ask(
        "feature, sum(count), sum(nans), sum(infinities), sum(arraySum(counts))",
        "profiles",
        f"{whole} AND kind = 'numeric' GROUP BY feature",
    )
    books.numeric = Counter({feature: counted for feature, *_, counted in numeric})
    books.features = {
        feature: (finite, missing.pop(feature, 0), nans, infinities)
        for feature, finite, nans, infinities, _ in numeric
    }
    books.features |= {feature: (0, count, 0, 0) for feature, count in missing.items()}
    categories = ask(
        "feature, value, sum(n)",
        "profiles ARRAY JOIN values AS value, counts AS n",
        f"{whole} AND kind = 'categorical' GROUP BY feature, value",
    )
    books.categories = Counter({(feature, value): count for feature, value, count in categories})
    # One session: its numbers are those of the events.
    ((books.session_rows, books.sequences),) = ask(
        "sum(rows), groupBitmapMerge(sequences)", "session_hours", f"AND {visible()}"
    )
    return books


def derive(store: Store) -> int:
    """Derive everything that has landed; return how many hours that were."""
    profiler = Profiler(store, metrics=Metrics(PROFILER_METRICS))
    try:
        return profiler.run_until_idle()
    finally:
        profiler.close()


def make_logger(log: Any, **arguments: Any) -> PredictionLogger:
    """Return a logger of the made model."""
    names = {"model_name": MODEL, "model_version": VERSION, "training_run_id": RUN}
    return PredictionLogger(**{**names, "log": log, **arguments})


def serve(log_url: str, total: int, seconds: float, *, with_reference: bool = False) -> list[str]:
    """Log ``total`` events over some seconds, the first of them with its outcome; return their ids."""
    if with_reference:
        rows = [event(number, REFERENCE_ROWS) for number in range(REFERENCE_ROWS)]
        register_training_run(
            RUN,
            model_name=MODEL,
            model_version=VERSION,
            waive=WAIVED,
            log=log_url,
            git_commit="5c0ffee",
            artifact_uri="s3://models/till/3",
            reference={name: [row["features"][name] for row in rows] for name in rows[0]["features"]},
            reference_predictions=[row["prediction"] for row in rows],
        )
    began_s = time.monotonic()
    event_ids = []
    logger = make_logger(log_url, heartbeat_interval_s=0.5)
    for number in range(total):
        event_ids.append(logger.log(**event(number, total)))
        if number % 100 == 0:
            time.sleep(max(0.0, began_s + seconds * number / total - time.monotonic()))
    logger.log_outcome(event_ids[0], actual=1.0)
    assert logger.close(timeout=30.0), "the log did not take every event"
    return event_ids


def main() -> None:
    """Serve from a process of its own; print the first event's id."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0.0)
    options = parser.parse_args()
    event_ids = serve(options.log, options.events, options.seconds, with_reference=True)
    print(event_ids[0])  # noqa: T201  its answer


if __name__ == "__main__":
    main()
