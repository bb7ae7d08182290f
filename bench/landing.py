"""What landing costs an event, next to an older release, to bare inserts and to tables without this or that.

CPU is that of the whole process, so the engine's and, in a lander, that of its merges. Rounds are
interleaved: each is one batch for every contender, in turn. Compare ratios of one run; figures of two runs
differ by how busy the machine was.

    python -m bench.landing                          a lander as in production, and a range that is repeated
    python -m bench.landing --old ../older           the same events by an older checkout, too
    python -m bench.landing --tables                 bare inserts, and what each index and codec costs
    python -m bench.landing --derive 200000          deriving: one stream, 100, three segments of a tenth each
    python -m bench.landing --derive 3000000 --hours 24 --rounds 1             a day of so many rows, each
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from driftline.embedded import open_store

# Only what an older release has, too: its landers run this very file.
from driftline.lander import LANDER_METRICS, Lander, service
from driftline.log import Record, open_log
from driftline.metrics import Metrics
from driftline.store import migrate
from driftline.wire import PREDICTION, PREDICTIONS_TOPIC, encode_record, event_schema, split_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

HERE = Path(__file__).resolve().parents[1]
BEGIN_US = 1_769_860_800_000_000
HOUR_US = 3_600_000_000
SEGMENTS = ("tag_0=v0", "tag_1=v1", "tag_2=v2")

Figures = dict[str, dict[str, float]]


def an_event(number: int, total: int, chance: random.Random, model: str = "bench") -> bytes:
    """Return one of the events of an hour: 15 features, a third of them categories, and three tags."""
    event = {
        "event_id": str(uuid.UUID(int=chance.getrandbits(128))),
        "event_time": BEGIN_US + number * HOUR_US // total,
        "model_name": model,
        "model_version": "1",
        "training_run_id": "run",
        "session_id": f"session {number % 4}",
        "sequence": number // 4 + 1,
        "environment": "production",
        "numeric_features": {f"feature_{i:02}": chance.gauss(10 * i, 3) for i in range(10)},
        "categorical_features": {f"category_{i}": f"v{chance.randrange(20)}" for i in range(5)},
        "prediction_number": chance.random(),
        "prediction_label": "late",
        "tags": {f"tag_{i}": f"v{chance.randrange(10)}" for i in range(3)},
    }
    return encode_record(PREDICTION, event)


def events(total: int, model: Callable[[int], str] = lambda _number: "bench") -> list[bytes]:
    """Return the records of an hour; ``model`` names the model of each."""
    chance = random.Random(1)
    return [an_event(number, total, chance, model(number)) for number in range(total)]


class Costs:
    """CPU and wall-clock time of each contender's rounds, in microseconds an event."""

    def __init__(self) -> None:
        self._cpu: dict[str, list[float]] = defaultdict(list)
        self._wall: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, count: int, cpu_s: float, wall_s: float) -> None:
        """Note a round."""
        self._cpu[name].append(1e6 * cpu_s / count)
        self._wall[name].append(1e6 * wall_s / count)

    def measure(self, name: str, count: int, work: Callable[[], object]) -> None:
        """Do a round and note it."""
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        work()
        self.add(name, count, time.process_time() - cpu_s, time.perf_counter() - wall_s)

    def medians(self, base: str) -> Figures:
        """Return the medians of each, and its CPU as a ratio to one's. The first round only warms up."""
        medians = {
            name: {
                "cpu_us": statistics.median(rounds[1:] or rounds),
                "wall_us": statistics.median(self._wall[name][1:] or self._wall[name]),
            }
            for name, rounds in self._cpu.items()
        }
        for figures in medians.values():
            figures["cpu_ratio"] = figures["cpu_us"] / medians[base]["cpu_us"]
        return medians


class LanderProcess:
    """A lander of some checkout, in a process of its own, that lands a batch on request."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(checkout / "services"), str(HERE)])}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), "--lander", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def land(self, costs: Costs, name: str, order: str = "land") -> None:
        """Land the next batch; with ``rewind`` from the beginning of the log."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(order, file=self._process.stdin, flush=True)
        costs.add(name, *json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def be_lander(folder: Path) -> None:
    """Land a batch for each line of standard input; tell its events, CPU since the last answer, and time."""
    with open_log((folder / "log").as_uri()) as log, open_store(f"chdb://{folder / 'store'}") as store:
        with closing(store.connect()) as client:
            migrate(client)
        lander = Lander(log, store, metrics=Metrics(LANDER_METRICS))
        cpu_s = time.process_time()
        for order in sys.stdin:
            if order.strip() == "rewind":
                lander.rewind()
            wall_s = time.perf_counter()
            landed = lander.land_once()
            now_s = time.process_time()
            print(json.dumps([landed, now_s - cpu_s, time.perf_counter() - wall_s]), flush=True)
            cpu_s = now_s
        lander.close()


def bench_landers(folder: Path, checkouts: Mapping[str, Path], rounds: int) -> Figures:
    """Compare landers: read, intend, insert, commit, and whatever a release counts meanwhile."""
    values = events(rounds * service.BATCH_RECORDS)
    with open_log((folder / "log").as_uri()) as log:
        writer = log.writer()
        for first in range(0, len(values), 5_000):
            writer.append([Record(PREDICTIONS_TOPIC, b"", value) for value in values[first : first + 5_000]])
    landers = {}
    for name, checkout in checkouts.items():
        own = folder / name
        own.mkdir()
        shutil.copytree(folder / "log", own / "log")
        landers[name] = LanderProcess(checkout, own)
    costs = Costs()
    for _ in range(rounds):
        for name, lander in landers.items():
            lander.land(costs, name)
    for number in range(rounds):
        landers["now"].land(costs, "now, repeated", "land" if number else "rewind")
    for lander in landers.values():
        lander.close()
    return costs.medians("now")


def bench_tables(folder: Path, rounds: int) -> Figures:
    """Compare inserts of the same bytes into copies of the table that lack this or that; none is merged."""
    from driftline.lander.blocks import POSITION, BlockWriter  # noqa: PLC0415  not in older ones
    from driftline.log import Batch  # noqa: PLC0415  not in older ones
    from driftline.store.landing import insert_block  # noqa: PLC0415  not in older ones

    count = service.BATCH_RECORDS
    datums = [split_frame(value)[1] for value in events(count)]
    offsets = list(range(count))
    batch = Batch("bench", PREDICTIONS_TOPIC, 0, 0, count - 1, datums, datums, offsets, offsets)
    schema = event_schema(PREDICTION)
    container = BlockWriter(schema.text, has_position=True).container(datums, batch, offsets)
    columns = [*POSITION, *(field["name"] for field in schema.parsed["fields"])]
    costs = Costs()
    with open_store(f"chdb://{folder / 'store'}") as store, closing(store.connect()) as client:
        migrate(client)
        client.command("SYSTEM STOP MERGES")
        targets = make_copies(client, store.database)
        order = list(targets.items())
        for number in range(rounds):
            random.Random(number).shuffle(order)  # Nobody always comes after the same one.
            for name, table in order:
                costs.measure(
                    name,
                    count,
                    lambda table=table, token=f"{number}": insert_block(
                        client, table, columns, container, token=token
                    ),
                )
        figures = costs.medians("inbox")
        for name, size in sizes(client, targets).items():
            figures[name]["bytes_an_event"] = size / (rounds * count)
    return figures


def make_copies(client: Client, database: str) -> Mapping[str, str]:
    """Make copies of `predictions`, each behind an inbox; return what to insert into, by what they are."""
    whole = client.rows("SHOW CREATE TABLE predictions")[0][0]
    codec = re.compile(r" CODEC\((?:[^()]|\([^()]*\))*\)")
    index = re.compile(r",\n    INDEX (\w+) [^\n]*?(?=,?\n)")
    bare = codec.sub("", index.sub("", whole))
    definitions = {"inbox": whole, "no codecs": codec.sub("", whole), "no indexes": index.sub("", whole)}
    definitions["neither"] = bare
    for found in index.finditer(whole):
        definitions[f"without index {found[1]}"] = whole.replace(found[0], "")
    for line in whole.splitlines():
        if codec.search(line):
            name = line.split("`")[1]
            definitions[f"without codec of {name}"] = whole.replace(line, codec.sub("", line))
    targets = {"lander's own": f"{database}.prediction_inbox"}
    for number, (name, definition) in enumerate(definitions.items()):
        assert name == "inbox" or definition != whole, name
        client.command(definition.replace(f"{database}.predictions", f"{database}.copy_{number}", 1))
        client.command(f"CREATE TABLE inbox_{number} AS prediction_inbox")
        view = f"CREATE MATERIALIZED VIEW view_{number} TO copy_{number} AS SELECT * FROM inbox_{number}"
        client.command(view)
        targets[name] = f"{database}.inbox_{number}"
    client.command(whole.replace(f"{database}.predictions", f"{database}.direct", 1))
    return {**targets, "no inbox": f"{database}.direct"}


def sizes(client: Client, targets: Mapping[str, str]) -> Mapping[str, float]:
    """Return the bytes on disk behind each target, by its name."""
    query = "SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active GROUP BY table"
    held = dict(client.rows(query))
    tables = {name: table.rpartition(".")[2] for name, table in targets.items()}
    stored = {"prediction_inbox": "predictions", "direct": "direct"}
    return {name: held[stored.get(table, table.replace("inbox", "copy"))] for name, table in tables.items()}


def repeat_hour(client: Client, hours: int, rows: int) -> None:
    """Have the store repeat an hour's events in the hours behind it, with ids and numbers of their own."""
    for hour in range(1, hours):
        client.command(
            f"INSERT INTO predictions SELECT * REPLACE (generateUUIDv4() AS event_id, "
            f"event_time + toIntervalHour({hour}) AS event_time, sequence + {hour * rows} AS sequence, "
            f"log_offset + {3 * hour * rows} AS log_offset) FROM (SELECT * FROM predictions "
            f"WHERE event_time < fromUnixTimestamp64Micro({BEGIN_US + HOUR_US}))"
        )


class OfAnHour(NamedTuple):
    """What there is of an hour that is derived.

    Args:
        rows: how many rows.
    """

    rows: int


def bench_deriving(folder: Path, rows: int, hours: int, rounds: int) -> Figures:
    """Derive hours of so many rows: of one stream, of 100, of one with three segments of a tenth each."""
    from driftline.domain.streams import HourKey  # noqa: PLC0415  not in older ones
    from driftline.profiling import PROFILER_METRICS, Profiler  # noqa: PLC0415  not in older ones
    from driftline.profiling.service import MOST_ROWS  # noqa: PLC0415  not in older ones
    from driftline.store.derive import derive_hours  # noqa: PLC0415  not in older ones
    from driftline.store.grouping import batches  # noqa: PLC0415  not in older ones
    from driftline.store.hours import (  # noqa: PLC0415  not in older ones
        derivation_id,
        read_pointers,
        read_store_time,
    )
    from driftline.store.recipes import read_recipes  # noqa: PLC0415  not in older ones
    from driftline.store.segments import name_segments  # noqa: PLC0415  not in older ones

    models: dict[str, Callable[[int], str]] = {
        "one stream": lambda _number: "one stream",
        "100 streams": lambda number: f"100 streams, {number % 100:02}",
        "three segments": lambda _number: "three segments",
    }
    costs = Costs()
    with open_log((folder / "log").as_uri()) as log, open_store(f"chdb://{folder / 'store'}") as store:
        writer = log.writer()
        for model in models.values():
            made = events(rows // hours, model)
            writer.append([Record(PREDICTIONS_TOPIC, b"", value) for value in made])
        lander = Lander(log, store, metrics=Metrics(LANDER_METRICS))
        lander.run_until_idle()
        lander.close()
        with closing(store.connect()) as client:
            name_segments(client, "three segments", SEGMENTS)
            profiler = Profiler(store, metrics=Metrics(PROFILER_METRICS))
            profiler.run_until_idle()  # Grids are chosen.
            profiler.close()
            streams = {each.stream for each in read_pointers(client)}
            repeat_hour(client, hours, rows // hours)
            client.command("OPTIMIZE TABLE predictions FINAL")
            recipes, first = read_recipes(client), BEGIN_US // HOUR_US

            def derive(name: str) -> None:
                own = [stream for stream in streams if stream.model_name.startswith(name)]
                keys = [HourKey(stream, first + hour) for hour in range(hours) for stream in own]
                held = dict.fromkeys(keys, OfAnHour(rows // len(keys)))
                for batch in batches(keys, held, MOST_ROWS):
                    number = derivation_id(read_store_time(client), random.Random(1).randrange)
                    derive_hours(client, batch, recipes, derivation=number)

            for _ in range(rounds):
                for name in models:
                    costs.measure(name, rows, partial(derive, name))
    return costs.medians("one stream")


def show(title: str, figures: Figures) -> None:
    """Print figures as a table."""
    names: Sequence[str] = list(next(iter(figures.values())))
    print(f"\n{title:36}" + "".join(f"{name:>16}" for name in names))
    for contender, own in figures.items():
        print(f"{contender:36}" + "".join(f"{own[name]:16.2f}" for name in names if name in own))


def measured(options: argparse.Namespace) -> Iterable[tuple[str, Figures]]:
    """Yield what was asked for, by title."""
    checkouts = {"now": HERE, **({"old": options.old.resolve()} if options.old else {})}
    asked: dict[str, Callable[[Path], Figures]] = {}
    if options.tables:
        asked["insert into"] = lambda folder: bench_tables(folder, options.rounds)
    if options.derive:
        asked["derive"] = lambda folder: bench_deriving(folder, options.derive, options.hours, options.rounds)
    if options.old or not asked:
        asked["land"] = lambda folder: bench_landers(folder, checkouts, options.rounds)
    for title, measure in asked.items():
        with tempfile.TemporaryDirectory() as folder:
            yield title, measure(Path(folder))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, help="about so many for each contender, instead of --rounds")
    parser.add_argument("--rounds", type=int, default=8, help=f"batches of {service.BATCH_RECORDS:,} events")
    parser.add_argument("--old", type=Path, help="a checkout to compare with")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--derive", type=int, default=0, metavar="ROWS")
    parser.add_argument("--hours", type=int, default=1, help="derive rows of so many hours")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--lander", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lander:
        be_lander(options.lander)
        return
    if options.records:
        options.rounds = max(1, options.records // service.BATCH_RECORDS)
    results: dict[str, Any] = {}
    for title, figures in measured(options):
        results[title] = figures
        if not options.json:
            show(title, figures)
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
