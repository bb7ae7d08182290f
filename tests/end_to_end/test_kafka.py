"""The production path: clients, Kafka, landers, store, worker and questions, each a process of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from driftline.embedded import open_store
from driftline.lander.service import GROUP
from driftline.log import open_log
from driftline.wire import OUTCOMES_TOPIC, PREDICTIONS_TOPIC, SESSIONS_TOPIC, TOPICS, TRAINING_RUNS_TOPIC
from tests.support.running import Fleet, wait_until
from tests.support.store_process import StoreProcess
from tests.support.traffic import REFERENCE_ROWS, derive, expected_books, read_books, serve

EVENTS = 3_000
PARTITIONS = 3
PREFIX = "fleet."
LAG = re.compile(r'^driftline_lander_lag_events\{topic="driftline.predictions"\} (\S+)$', re.MULTILINE)
ROOT = Path(__file__).parents[2]

READER = """
import io, json, struct, sys
from collections import Counter
import confluent_kafka, fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

bootstrap, prefix, schemas, *topics = sys.argv[1:]
known = {}
for path in __import__("pathlib").Path(schemas).glob("*.avsc"):
    document = json.loads(path.read_text())
    crc = bytes.fromhex(fingerprint(to_parsing_canonical_form(document), "CRC-64-AVRO"))
    known[b"\\xc3\\x01" + crc] = fastavro.parse_schema(document)
consumer = confluent_kafka.Consumer(
    {"bootstrap.servers": bootstrap, "group.id": "stranger", "auto.offset.reset": "earliest",
     "enable.partition.eof": True})
consumer.subscribe([prefix + topic for topic in topics])
counts, ends = Counter(), set()
wanted = sum(len(consumer.list_topics(prefix + topic).topics[prefix + topic].partitions) for topic in topics)
while len(ends) < wanted:
    message = consumer.poll(10)
    assert message is not None
    if message.error():
        ends.add((message.topic(), message.partition()))
        continue
    value = message.value()
    stream = io.BytesIO(value[10:])
    event = fastavro.schemaless_reader(stream, known[value[:10]])
    assert not stream.read(1) and message.key().decode() == event.get("session_id", message.key().decode())
    counts[message.topic().removeprefix(prefix)] += 1
consumer.close()
print(json.dumps({"counts": counts, "driftline": "driftline" in sys.modules}))
"""


class Crew:
    """The landers of a fleet."""

    def __init__(self, place):
        self._place = place
        self.start()

    def start(self):
        self._landers = [self._place.start("land", "--metrics-port", "0") for _ in range(2)]
        self._urls = [lander.stdout.readline().split()[1] for lander in self._landers]

    def stop(self):
        for lander in self._landers:
            lander.terminate()
        for lander in self._landers:
            lander.communicate(timeout=30)

    def reported_lag(self):
        """Return what they tell Prometheus of predictions that have still to land."""
        lag = 0.0
        for url in self._urls:
            text = urllib.request.urlopen(url).read().decode()
            lag += sum(map(float, LAG.findall(text)))
        return lag


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, kafka):
    """A fleet through which some traffic went while two landers ran; and the first event's id."""
    folder = tmp_path_factory.mktemp("fleet")
    store = StoreProcess(folder / "store")
    store.start()
    options = f"topic_prefix={PREFIX}&group_prefix=fleet-&partitions={PARTITIONS}&spill={folder / 'spill'}"
    place = Fleet(folder, log=f"kafka://{kafka.bootstrap}?{options}", store=store.url)
    migrated = place.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    crew = Crew(place)
    try:
        event_id = serve(place.log_url, EVENTS, 2.0, with_reference=True)[0]
        wait_until(lambda: place.lag() == 0, what="landing")
        yield place, store, event_id, crew
    finally:
        crew.stop()
        store.stop()


def asked(place, query):
    with open_store(place.store_url) as store, closing(store.connect()) as client:
        return client.rows(query)


def books(place):
    with open_store(place.store_url) as store, closing(store.connect()) as client:
        derive(store)
        return read_books(client)


def test_every_event_lands_once_and_is_counted_once(fleet):
    place, *_ = fleet
    assert books(place) == expected_books(EVENTS)
    by_environment = {line["environment"]: line for line in place.ask("completeness")}
    for environment, sent in (("production", EVENTS), ("reference", REFERENCE_ROWS)):
        line = by_environment[environment]
        assert (line["sent"], line["landed"], line["missing"], line["duplicates"]) == (sent, sent, 0, 0)


def test_a_prediction_is_traced_to_its_run_and_judged_by_a_worker_of_its_own(fleet):
    place, _, event_id, _ = fleet
    for command in (("profile", "--until-idle"), ("watch", "--once")):
        done = place.run(*command)
        assert done.returncode == 0, done.stderr
    found = place.ask("trace", event_id)
    assert found["training_run"]["git_commit"] == "5c0ffee"
    assert [outcome["actual_number"] for outcome in found["outcomes"]] == [1.0]
    assert place.ask("verdicts")


def test_a_group_set_back_to_the_beginning_lands_nothing_again(fleet):
    """It is cut otherwise this time: what landed with the first events stands in small batches."""
    place, _, _, crew = fleet
    before = books(place)
    crew.stop()
    with open_log(place.log_url) as log:
        reader = log.reader(GROUP, TOPICS)
        for topic in TOPICS:
            for partition in range(PARTITIONS):
                reader.rewind(topic, 0, partition)
        assert reader.lag()[PREDICTIONS_TOPIC] == EVENTS + REFERENCE_ROWS
        reader.close()
    crew.start()
    wait_until(lambda: place.lag() == 0, what="landing again")
    assert books(place) == before
    (line,) = (line for line in place.ask("completeness") if line["environment"] == "production")
    assert (line["landed"], line["missing"], line["duplicates"]) == (EVENTS, 0, 0)


def test_while_the_store_is_away_the_lag_shows_and_nothing_is_lost(fleet):
    place, store, _, crew = fleet
    store.stop()
    try:
        serve(place.log_url, 500, 0)
        wait_until(lambda: crew.reported_lag() >= 500, what="lag that shows")
    finally:
        store.start()
    wait_until(lambda: place.lag() == 0, what="landing")
    wait_until(lambda: crew.reported_lag() == 0, what="lag that is gone")
    (line,) = (line for line in place.ask("completeness") if line["environment"] == "production")
    assert (line["sent"], line["missing"], line["duplicates"]) == (EVENTS + 500, 0, 0)


def test_a_consumer_without_driftline_reads_every_event_by_the_schemas_alone(fleet, kafka):
    topics = (PREDICTIONS_TOPIC, OUTCOMES_TOPIC, TRAINING_RUNS_TOPIC, SESSIONS_TOPIC)
    command = [sys.executable, "-c", READER, kafka.bootstrap, PREFIX, str(ROOT / "schemas" / "avro"), *topics]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    place, *_ = fleet
    ((landed,),) = asked(place, "SELECT count() FROM predictions")
    assert f'"{PREDICTIONS_TOPIC}": {landed}' in done.stdout
    assert f'"{TRAINING_RUNS_TOPIC}": 1' in done.stdout
    assert '"driftline": false' in done.stdout


def test_kcat_reads_every_record_with_its_session_as_key(fleet, kafka):
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed")
    command = [
        "kcat",
        "-b",
        kafka.bootstrap,
        "-t",
        PREFIX + PREDICTIONS_TOPIC,
        "-C",
        "-e",
        "-q",
        "-f",
        "%k %S\\n",
    ]
    lines = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    place, *_ = fleet
    ((landed,),) = asked(place, "SELECT count() FROM predictions")
    assert len(lines) == landed
    sessions = {row[0] for row in asked(place, "SELECT DISTINCT session_id FROM predictions")}
    assert {line.split()[0] for line in lines} == sessions


def test_a_session_stays_on_one_partition_in_its_order(fleet):
    place, *_ = fleet
    with open_log(place.log_url) as log, closing(log.reader("looker", [PREDICTIONS_TOPIC])) as reader:
        end = time.monotonic() + 20
        keys: dict[bytes, set[int]] = {}
        while time.monotonic() < end and sum(reader.lag().values()):
            for partition in reader.partitions(PREDICTIONS_TOPIC):
                if batch := reader.fetch(PREDICTIONS_TOPIC, partition):
                    for key in batch.keys:
                        keys.setdefault(key, set()).add(partition)
                    reader.commit(batch)
    assert len(keys) > 2
    assert {len(partitions) for partitions in keys.values()} == {1}
