"""What logging an event costs a service, beside Confluent's AvroSerializer and Producer with the same events.

Each way logs the same events of 15 features (10 numbers, 5 categories, 3 tags) to the same broker, in turns,
for some rounds. What counts is the CPU time of the whole process until the broker has acknowledged them all,
the threads of librdkafka included: elapsed time would measure the broker.

Run: python -m bench.sdk_cost [--events 50000] [--rounds 5] [--json]
(needs Java 17 and Maven, as the tests do)
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pandas as pd
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from driftline import PredictionLogger
from driftline.log import open_log
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, TOPICS, event_schema
from tests.support.kafka import Kafka

if TYPE_CHECKING:
    from collections.abc import Callable

IDENTITY = {"model_name": "bench", "model_version": "1", "training_run_id": "run"}
NUMBERS = tuple(f"number_{i:02}" for i in range(10))
CATEGORIES = tuple(f"category_{i}" for i in range(5))
PARTITIONS = 3
ROWS = 5_000
FLUSH_S = 120.0
PEER = "AvroSerializer and produce()"


def a_row(random: Random) -> dict[str, float | str]:
    """Return an event's features."""
    numbers = {name: random.gauss(0, 1) for name in NUMBERS}
    return numbers | {name: f"value {random.randrange(20)}" for name in CATEGORIES}


def a_tag_set(random: Random) -> dict[str, str]:
    """Return an event's tags: a few combinations, as services have them."""
    return {"origin": random.choice(("EWR", "JFK", "LGA")), "region": "eu", "tenant": random.choice("abcd")}


class Traffic:
    """The same events for all.

    Args:
        events: how many.
    """

    def __init__(self, events: int) -> None:
        random = Random(7)
        self.rows = [a_row(random) for _ in range(ROWS)]
        self.tags = [a_tag_set(random) for _ in range(ROWS)]
        self.scores = [random.random() for _ in range(ROWS)]
        self.places = [number % ROWS for number in range(events)]
        self.frame = pd.DataFrame([self.rows[place] for place in self.places])
        self.columns = {name: [self.rows[place][name] for place in self.places] for name in self.rows[0]}
        self.batch: dict[str, Any] = {
            "predictions": self.frame.index.map(lambda place: self.scores[place % ROWS]).to_numpy(),
            "labels": ["late"] * events,
            "entity_ids": ["N14228"] * events,
            "tags": {name: [self.tags[place][name] for place in self.places] for name in self.tags[0]},
        }


def cpu_s() -> float:
    """Return the CPU time of this process so far, all its threads included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def one_by_one(logger: PredictionLogger, traffic: Traffic) -> Callable[[], None]:
    """Return what logs each event by a call of ``log``."""

    def run() -> None:
        for place in traffic.places:
            logger.log(
                features=traffic.rows[place],
                prediction=traffic.scores[place],
                label="late",
                entity_id="N14228",
                tags=traffic.tags[place],
            )
        assert logger.flush(FLUSH_S)
        assert not logger.stats().dropped

    return run


def as_batch(logger: PredictionLogger, features: Any, traffic: Traffic) -> Callable[[], None]:
    """Return what logs all events by one call of ``log_batch``."""

    def run() -> None:
        assert None not in logger.log_batch(features, **traffic.batch)
        assert logger.flush(FLUSH_S)

    return run


def by_peer(bootstrap: str, topic: str, traffic: Traffic) -> Callable[[], None]:
    """Return what a service without driftline would write, by Confluent's documentation.

    Its producer is set as driftline's is, and need not tell of each delivery.
    """
    registry = SchemaRegistryClient.new_client({"url": "mock://bench"})
    serialize = AvroSerializer(registry, event_schema(PREDICTION).text)
    context = SerializationContext(topic, MessageField.VALUE)
    settings = {"enable.idempotence": True, "acks": "all", "compression.type": "lz4", "linger.ms": 5}
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 2, **settings})
    session = str(uuid.uuid4())

    def run() -> None:
        for sequence, place in enumerate(traffic.places, 1):
            row = traffic.rows[place]
            event = {
                **IDENTITY,
                "event_id": str(uuid.uuid4()),
                "event_time": int(time.time() * 1e6),
                "session_id": session,
                "sequence": sequence,
                "environment": "production",
                "entity_id": "N14228",
                "numeric_features": {name: row[name] for name in NUMBERS},
                "categorical_features": {name: row[name] for name in CATEGORIES},
                "prediction_number": traffic.scores[place],
                "prediction_label": "late",
                "tags": traffic.tags[place],
            }
            producer.produce(topic, serialize(event, context), session)
            producer.poll(0)
        assert not producer.flush(FLUSH_S)

    return run


def measure(ways: dict[str, Callable[[], None]], events: int, rounds: int) -> dict[str, list[float]]:
    """Return the CPU time of an event by way, a value a round, microseconds; the first is left out."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            gc.collect()
            began = cpu_s()
            run()
            if number:
                found[name].append((cpu_s() - began) / events * 1e6)
    return found


def spread(values: list[float], digits: int) -> dict[str, float]:
    """Return the least, the median and the largest."""
    return {
        "min": round(min(values), digits),
        "median": round(statistics.median(values), digits),
        "max": round(max(values), digits),
    }


def summary(found: dict[str, list[float]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return by way the microseconds of an event and its share of the peer's in the same round."""
    return {
        name: {
            "us": spread(values, 2),
            "of the peer": spread([own / peer for own, peer in zip(values, found[PEER], strict=True)], 3),
        }
        for name, values in found.items()
    }


def main() -> int:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    traffic = Traffic(options.events)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        kafka = Kafka(folder / "kafka")
        kafka.start()
        stack.callback(kafka.stop)
        url = f"kafka://{kafka.bootstrap}?partitions={PARTITIONS}&spill={folder / 'spill'}"
        with open_log(url) as log:
            log.ensure_topics(TOPICS)

        def logger(log: str) -> PredictionLogger:
            return stack.enter_context(PredictionLogger(**IDENTITY, log=log, queue_bytes=1 << 30))

        file = (folder / "log").as_uri()
        found = measure(
            {
                PEER: by_peer(kafka.bootstrap, PREDICTIONS_TOPIC, traffic),
                "log()": one_by_one(logger(url), traffic),
                "log_batch(), a DataFrame": as_batch(logger(url), traffic.frame, traffic),
                "log_batch(), lists": as_batch(logger(url), traffic.columns, traffic),
                "log(), local log": one_by_one(logger(file), traffic),
                "log_batch(), a DataFrame, local log": as_batch(logger(file), traffic.frame, traffic),
            },
            options.events,
            options.rounds,
        )
    figures = summary(found)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, values in figures.items():
            shown = (f"{title} {'/'.join(map(str, figures.values()))}" for title, figures in values.items())
            print(f"{name:40} {'; '.join(shown)}")
        print("(each least/median/largest of the rounds)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
