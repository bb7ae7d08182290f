"""What a service notices of a Kafka cluster that is away for minutes: nothing, it should be.

Logs at a steady rate while the one broker is stopped and started again, then reads the topic back.

Run: python -m bench.kafka_outage [--rate 2000] [--seconds 420] [--outage 300] [--how kill|pause] [--json]
(with services and the repository's top in PYTHONPATH; needs Java and Maven, as the tests do)
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from driftline import PredictionLogger
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, SESSIONS_TOPIC, decode_datum, split_frame
from tests.support.kafka import Kafka

IDENTITY = {"model_name": "bench", "model_version": "1", "training_run_id": "run"}
PARTITIONS = 4
WARM_UP_S = 10.0
RSS_LIMIT_MIB = 64
P999_LIMIT_US = 1_000


def resident_mib() -> float:
    """Return how much memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def percentiles_us(nanoseconds: list[int]) -> dict[str, float]:
    """Return the median, the far tail and the worst, microseconds."""
    ordered = sorted(nanoseconds)
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {name: round(ordered[int(share * last)] / 1e3, 1) for name, share in shares.items()}


def a_row(random: Random) -> dict[str, float | str]:
    """Return 15 features, of which a fifth are categories."""
    carriers = ("UA", "DL", "AA", "B6", "WN")
    return {f"f{i:02}": random.choice(carriers) if i % 5 == 4 else random.gauss(0, 1) for i in range(15)}


def stop_for_a_while(kafka: Kafka, how: str, began: threading.Event, seconds: float) -> None:
    """Take the broker away."""
    (kafka.kill if how == "kill" else kafka.pause)()
    began.set()
    time.sleep(seconds)
    if how == "kill":
        kafka.start()
    else:
        kafka.resume()


def log_steadily(
    logger: PredictionLogger, kafka: Kafka, options: argparse.Namespace
) -> tuple[dict[str, list[int]], list[tuple[float, float]], int]:
    """Log; return the calls' durations by what went on, (time, memory) samples, and how many were logged."""
    rows = [a_row(Random(seed)) for seed in range(1_000)]
    durations: dict[str, list[int]] = {"before": [], "away": [], "after": []}
    memory: list[tuple[float, float]] = []
    away = threading.Event()
    outage = threading.Thread(target=stop_for_a_while, args=(kafka, options.how, away, options.outage))
    first_s = time.monotonic()
    stop_at_s = max(WARM_UP_S, (options.seconds - options.outage) / 3)
    logged = 0
    while (now_s := time.monotonic() - first_s) < options.seconds:
        if now_s >= stop_at_s and not outage.ident:
            outage.start()
        if now_s >= WARM_UP_S and (not memory or now_s - memory[-1][0] > 1):
            memory.append((now_s, resident_mib()))
        phase = "before" if not away.is_set() else "away" if outage.is_alive() else "after"
        due = int(now_s * options.rate) - logged
        for _ in range(min(due, 50)):
            row = rows[logged % len(rows)]
            began = time.perf_counter_ns()
            logger.log(row, prediction=0.5, label="late", entity_id="N14228", tags={"origin": "EWR"})
            durations[phase].append(time.perf_counter_ns() - began)
            logged += 1
        time.sleep(0.0005)
    outage.join()
    return durations, memory, logged


def read_back(bootstrap: str, session_id: str) -> dict[str, int]:
    """Return how many predictions of the session are in the topic: all, distinct, and out of order."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "bench", "enable.partition.eof": True, "log_level": 2}
    )
    consumer.assign([TopicPartition(PREDICTIONS_TOPIC, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    numbers: Counter[int] = Counter()
    last = disordered = ended = 0
    while ended < PARTITIONS:
        for message in consumer.consume(10_000, 1.0):
            if message.error():
                ended += 1
                continue
            event = decode_datum(PREDICTION, split_frame(message.value() or b"")[1])
            assert event["session_id"] == session_id
            numbers[event["sequence"]] += 1
            disordered += event["sequence"] <= last
            last = event["sequence"]
    consumer.close()
    return {"records": numbers.total(), "events": len(numbers), "out_of_order": disordered}


def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """Return what was found."""
    kafka = Kafka(folder / "kafka")
    kafka.start()
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 2})
    topics = [NewTopic(topic, PARTITIONS, 1) for topic in (PREDICTIONS_TOPIC, SESSIONS_TOPIC)]
    for made in admin.create_topics(topics).values():
        made.result()
    del admin
    logger = PredictionLogger(**IDENTITY, log=f"kafka://{kafka.bootstrap}?spill={folder / 'spill'}")
    try:
        durations, memory, logged = log_steadily(logger, kafka, options)
        began = time.monotonic()
        while (stats := logger.stats()).spilled or stats.queued:
            time.sleep(0.1)
        caught_up_s = time.monotonic() - began
        assert logger.close()
        arrived = read_back(kafka.bootstrap, logger.session_id)
    finally:
        kafka.stop()
    growth_mib = max(mib for _, mib in memory) - memory[0][1]
    times_us = percentiles_us([took for phase in durations.values() for took in phase])
    return {
        "logged": logged,
        "dropped": dict(stats.dropped),
        **arrived,
        "log(), us": times_us,
        **{f"log(), {phase}, us": percentiles_us(took) for phase, took in durations.items() if took},
        "memory at first, MiB": round(memory[0][1], 1),
        "memory growth, MiB": round(growth_mib, 1),
        "caught up after the last event, s": round(caught_up_s, 1),
        "passed": logged == arrived["records"] == arrived["events"]
        and not arrived["out_of_order"]
        and times_us["p99.9"] < P999_LIMIT_US
        and growth_mib < RSS_LIMIT_MIB,
    }


def main() -> int:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=2_000, help="predictions per second")
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--outage", type=float, default=300, help="seconds")
    parser.add_argument("--how", choices=("kill", "pause"), default="kill")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), options)
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:40} {value}" for name, value in found.items()))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
