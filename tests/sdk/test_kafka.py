"""The logger on Kafka: through threads, forks, outages and every kind of end, each event once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest

from driftline import register_training_run
from driftline.errors import LogError
from driftline.log.kafka.forward import forward_orphans
from driftline.wire import (
    OUTCOMES_TOPIC,
    PREDICTIONS_TOPIC,
    SESSIONS_TOPIC,
    TRAINING_RUNS_TOPIC,
    decode_record,
)
from tests.log.kafka.topics import Topics
from tests.sdk.logs import FORKS_AMID_THREADS, IDENTITY, quick_logger
from tests.support.training import WAIVED


@pytest.fixture
def topics(kafka, tmp_path):
    return Topics(kafka, tmp_path / "spill")


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory):
    """A broker that these tests may kill and pause."""
    from tests.support.java.jars import JavaMissingError  # noqa: PLC0415  only who runs it needs it
    from tests.support.kafka import Kafka  # noqa: PLC0415  as above

    try:
        kafka = Kafka(tmp_path_factory.mktemp("kafka"))
    except JavaMissingError as error:
        pytest.skip(str(error))
    yield kafka
    kafka.stop()


@pytest.fixture
def own_topics(own_kafka, tmp_path):
    own_kafka.resume()
    own_kafka.start()
    return Topics(own_kafka, tmp_path / "spill")


def events(topics: Topics, topic: str = PREDICTIONS_TOPIC) -> list[dict]:
    return [decode_record(value)[1] for value in topics.values(topic)]


def sessions(topics: Topics) -> dict[str, list[int]]:
    """Return the numbers of the predictions by session, as they stand."""
    numbers: dict[str, list[int]] = {}
    for event in events(topics):
        numbers.setdefault(event["session_id"], []).append(event["sequence"])
    return numbers


def check_logged(topics: Topics, expected: list[list[int]], code: str, *script: str, status: int = 0) -> None:
    """Check which numbers, by session, a process logs, and that it says nothing.

    On busy cores a broker may keep it waiting for longer than it waits at its end; then it says what waits on
    disk. This is forwarded, nothing may be lost, and what was on its way may stand there twice; and another
    one is tried, for not every process can have to wait.
    """
    for _ in range(3):
        known = sessions(topics)
        finished = python(code, topics.url(), *script)
        warned = finished.stderr.splitlines()
        assert (finished.returncode, [line for line in warned if "on disk" not in line]) == (status, [])
        if warned:
            forwarded = forward_orphans(topics.settings(), threading.Event())
            assert (forwarded.owned, forwarded.left) == ([], [])
        found = [numbers for session, numbers in sessions(topics).items() if session not in known]
        assert sorted(sorted(set(numbers)) if warned else numbers for numbers in found) == expected
        if not warned:
            return
    pytest.fail("each time the broker was waited for in vain")


def check_heartbeats(topics: Topics) -> None:
    """Check that each session's last heartbeat is final and counts what is there."""
    last = {}
    for heartbeat in events(topics, SESSIONS_TOPIC):
        last[heartbeat["session_id"]] = heartbeat
    assert {
        session: heartbeat["last_sequence"]
        for session, heartbeat in last.items()
        if heartbeat["last_sequence"]
    } == {session: len(set(numbers)) for session, numbers in sessions(topics).items()}
    assert all(heartbeat["final"] for heartbeat in last.values())


def test_threads_and_tasks_share_a_logger(topics):
    logger = quick_logger(topics.url())

    def work() -> None:
        for number in range(250):
            logger.log({"number": number}, prediction=0.5)

    async def task() -> None:
        for number in range(250):
            logger.log_outcome(logger.log({"number": number}, prediction=0.5), 1)
            await asyncio.sleep(0)

    async def tasks() -> None:
        await asyncio.gather(*(task() for _ in range(4)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join()
    assert logger.close(20)
    assert logger.stats().appended == 3_000
    assert sessions(topics) == {logger.session_id: list(range(1, 2_001))}
    assert [event["sequence"] for event in events(topics, OUTCOMES_TOPIC)] == list(range(1, 1_001))
    check_heartbeats(topics)


BEGIN = """
import json, multiprocessing, os, signal, sys, time
from driftline import PredictionLogger
def begin():
    return PredictionLogger(**json.loads(sys.argv[2]), log=sys.argv[1], flush_interval_s=0.05)
def work(logger, count=200):
    for _ in range(count): logger.log({"x": 1.0})
"""
PREFORK = """
logger = begin()
work(logger, 50)
assert logger.flush(20)
children = []
for _ in range(3):
    if (pid := os.fork()) == 0:
        signal.alarm(40)
        work(logger)
        sys.exit()
    children.append(pid)
work(logger, 50)
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
work(logger, 100)
"""
FORK = """
logger = begin()
children = [multiprocessing.get_context("fork").Process(target=work, args=(logger,)) for _ in range(3)]
for child in children: child.start()
for child in children: child.join(60)
assert [child.exitcode for child in children] == [0, 0, 0]
work(logger)
"""


@pytest.mark.parametrize("code", [PREFORK, FORK], ids=["prefork", "multiprocessing"])
def test_forked_workers_have_sessions_of_their_own_and_lose_nothing(topics, code):
    check_logged(topics, [list(range(1, 201))] * 4, code)
    check_heartbeats(topics)


LOOKING_UP = """
import socket, threading
def look_up():
    while True: socket.getaddrinfo("127.0.0.1", 9, flags=socket.AI_ADDRCONFIG)
for _ in range(4): threading.Thread(target=look_up, daemon=True).start()
logger = begin()
assert logger.flush(30)
children = [multiprocessing.get_context("fork").Process(target=work, args=(logger, 5)) for _ in range(4)]
for child in children: child.start()
for child in children: child.join(60)
codes = [child.exitcode for child in children]
for child in children: child.kill()
if codes != [0] * 4: print("children hang or fail:", codes, file=sys.stderr)
os._exit(0)
"""


def test_a_child_that_was_forked_amid_a_look_up_of_addresses_ends_all_the_same(topics):
    """Its C library may never look up an address again; what it logged waits on disk."""
    finished = python(LOOKING_UP, topics.url())
    assert "hang or fail" not in finished.stderr
    assert finished.returncode == 0


IMPORTS = """
import threading
began = []
def note(event, arguments):
    if event == "import" and threading.current_thread().name == "driftline-shipper":
        began.append(arguments[0])
sys.addaudithook(note)
logger = begin()
work(logger, 50)
assert logger.close(20)
if began: sys.exit("imported on the thread: " + ", ".join(began))
"""


def test_the_thread_of_a_session_imports_nothing(topics, tmp_path):
    """A fork amid an import would leave half a module to the child, for good."""
    for url in (topics.url(), (tmp_path / "log").as_uri()):
        finished = python(IMPORTS, url)
        assert finished.returncode == 0, finished.stderr


def test_spawned_workers_lose_nothing(topics, tmp_path):
    module = tmp_path / "worker.py"
    module.write_text(
        BEGIN + "def whole():\n    work(begin())\n"
        "if __name__ == '__main__':\n"
        "    children = [multiprocessing.get_context('spawn').Process(target=whole) for _ in range(2)]\n"
        "    for child in children: child.start()\n"
        "    for child in children: child.join(60)\n"
        "    assert [child.exitcode for child in children] == [0, 0]\n"
    )
    check_logged(topics, [list(range(1, 201))] * 2, "", str(module))
    check_heartbeats(topics)


def python(code: str, url: str, *script: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = script or ("-c", BEGIN + code)
    return subprocess.run(
        [sys.executable, *FORKS_AMID_THREADS, *program, url, json.dumps(IDENTITY)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_end_of_a_process_loses_nothing(topics):
    check_logged(topics, [list(range(1, 501))], "logger = begin()\nwork(logger, 500)")
    check_heartbeats(topics)


def test_a_terminated_process_loses_nothing(topics):
    code = "logger = begin()\nwork(logger, 500)\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(30)"
    check_logged(topics, [list(range(1, 501))], code, status=-signal.SIGTERM)
    check_heartbeats(topics)


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_an_outage_is_outlived_and_each_event_arrives_once_in_order(own_kafka, own_topics, how):
    logger = quick_logger(own_topics.url(), heartbeat_interval_s=0.05)
    for _ in range(100):
        logger.log({"x": 1.0})
    assert logger.flush(20)
    own_kafka.kill() if how == "kill" else own_kafka.pause()
    slowest_s = 0.0
    for _ in range(3_000):
        began = time.perf_counter()
        logger.log({"x": 1.0})
        slowest_s = max(slowest_s, time.perf_counter() - began)
        time.sleep(0.0002)
    assert logger.flush(60)  # On disk.
    stats = logger.stats()
    assert (stats.appended, stats.queued) == (3_100, 0)
    assert stats.spilled >= 3_000
    assert slowest_s < 2.0
    own_kafka.start() if how == "kill" else own_kafka.resume()
    end = time.monotonic() + 60
    while logger.stats().spilled:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert logger.close(60)
    assert sessions(own_topics) == {logger.session_id: list(range(1, 3_101))}
    check_heartbeats(own_topics)


def test_closing_while_the_broker_is_away_is_bounded_and_the_next_logger_delivers(own_kafka, own_topics):
    with quick_logger(own_topics.url()) as first:
        for _ in range(10):
            first.log()
        assert first.flush(20)
        own_kafka.pause()
        for _ in range(10):
            first.log()
        began = time.monotonic()
        assert first.close(3.0)  # It is on disk.
        assert time.monotonic() - began < 20.0
    own_kafka.resume()
    with quick_logger(own_topics.url()) as second:
        second.log()
        assert second.flush(20)
        end = time.monotonic() + 15
        while list(own_topics.spill.iterdir()):
            assert time.monotonic() < end
            time.sleep(0.05)
    found = sessions(own_topics)
    assert sorted(set(found[first.session_id])) == list(range(1, 21))
    unmarked = [
        decode_record(one.value)[1]["sequence"]
        for one in own_topics.read(PREDICTIONS_TOPIC)
        if not one.headers
    ]
    assert len(unmarked) == len(set(unmarked)) + 1  # Both sessions have a number 1.


def test_a_training_run_is_at_the_brokers_when_it_is_registered(topics):
    reference = pd.DataFrame({"distance": [float(row) for row in range(500)]})
    run = register_training_run(
        model_name="m",
        model_version="1",
        waive=WAIVED,
        log=topics.url(),
        reference=reference,
        reference_predictions=[0.5] * 500,
    )
    (event,) = events(topics, TRAINING_RUNS_TOPIC)
    assert (event["training_run_id"], event["reference_rows"]) == (run, 500)
    assert len(events(topics)) == 500
    assert not topics.spill.exists()


def test_a_training_run_that_the_brokers_do_not_take_fails_and_leaves_nothing_on_disk(own_kafka, own_topics):
    own_kafka.kill()
    began = time.monotonic()
    with pytest.raises(LogError, match="takes nothing"):
        register_training_run(
            "run", model_name="m", model_version="1", waive=WAIVED, log=own_topics.url(), timeout_s=2.0
        )
    with pytest.raises(LogError, match="takes nothing"):  # The version is claimed before any row is logged.
        register_training_run(
            "run",
            model_name="m",
            model_version="1",
            waive=WAIVED,
            log=own_topics.url(),
            timeout_s=1.0,
            reference={"x": [1.0]},
        )
    assert time.monotonic() - began < 18
    assert not own_topics.spill.exists()


def test_importing_does_not_load_librdkafka():
    code = "import sys, driftline\nprint('confluent_kafka' in sys.modules)"
    assert python(code, "").stdout == "False\n"
