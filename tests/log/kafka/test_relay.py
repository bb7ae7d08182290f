"""Through every outage each record reaches the cluster once and in order, or the writer says why not."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from driftline.errors import LogError, LogFullError
from driftline.log import Record
from driftline.log.kafka.forward import Forwarding, Progress, forward_orphans, open_sender, spill_settings
from driftline.log.kafka.relay import Relay
from driftline.log.kafka.sender import MAY_REPEAT_HEADER, SETTLE_S
from driftline.log.kafka.spill import Spill, spill_folders
from driftline.wire import OUTCOMES_TOPIC, PREDICTIONS_TOPIC, SESSIONS_TOPIC
from tests.log.kafka.topics import Topics
from tests.support.sampling import sampled

EVENTS, OUTCOMES, HEARTBEATS = PREDICTIONS_TOPIC, OUTCOMES_TOPIC, SESSIONS_TOPIC


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
def kafka(own_kafka):
    own_kafka.resume()
    own_kafka.start()
    return own_kafka


@pytest.fixture
def topics(kafka, tmp_path):
    return Topics(kafka, tmp_path / "spill", [EVENTS, OUTCOMES, HEARTBEATS])


def events(first: int, count: int, key: bytes = b"session", topic: str = EVENTS) -> list[Record]:
    return [Record(topic, key, b"%d" % number) for number in range(first, first + count)]


def away(kafka, how: str) -> None:
    kafka.kill() if how == "kill" else kafka.pause()


def back(kafka, how: str) -> None:
    kafka.start() if how == "kill" else kafka.resume()


def wait_for(condition, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def numbers(topics: Topics, topic: str = EVENTS, key: bytes = b"session") -> list[int]:
    return [int(one.value) for one in topics.read(topic) if one.key == key]


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_events_of_an_outage_wait_on_disk_and_arrive_once_in_order(kafka, topics, how, caplog):
    relay = Relay(topics.settings(), direct_timeout_s=0.3)
    sessions = [b"one", b"two", b"three"]
    last = 0

    def append(count: int) -> None:
        nonlocal last
        for key in sessions:
            heartbeat = Record(HEARTBEATS, key, b"%d" % (last + count))
            relay.append([*events(last + 1, count, key), *events(last + 1, 1, key, OUTCOMES), heartbeat])
        last += count

    def is_direct() -> bool:
        """Append, and return whether that left the disk alone: on busy cores an answer may come too late."""
        wait_for(lambda: relay.spilled() == 0)
        append(100)
        return relay.spilled() == 0

    with caplog.at_level(logging.WARNING, logger="driftline.log.kafka"):
        append(100)
        wait_for(is_direct)
        wait_for(lambda: relay.spilled() == 0)
        away(kafka, how)
        began = time.monotonic()
        append(100)
        for _ in range(20):
            append(50)
        assert time.monotonic() - began < 15.0  # Each of 63 that waited for an answer would take 0.3 s.
        assert relay.spilled() > 3_000
        returning = threading.Thread(target=back, args=(kafka, how))
        returning.start()
        while returning.is_alive():
            append(5)
            time.sleep(0.02)
        wait_for(lambda: relay.spilled() == 0)
        wait_for(is_direct)
        wait_for(lambda: relay.spilled() == 0)
    assert not list(topics.spill.iterdir())
    relay.close()
    assert "wait on disk" in caplog.text
    assert "takes events again" in caplog.text
    seen = topics.read(EVENTS)
    heartbeats = topics.read(HEARTBEATS)
    for key in sessions:
        mine = [one for one in seen if one.key == key]
        assert [int(one.value) for one in mine] == list(range(1, last + 1))
        counted = [one for one in heartbeats if one.key == key]
        assert len(counted) == len(numbers(topics, OUTCOMES, key))
        for heartbeat in counted:
            # Times are the brokers': an event that a heartbeat counts was there before it.
            assert mine[int(heartbeat.value) - 1].time_ms <= heartbeat.time_ms
    assert not any(one.headers for one in seen)


CLIENT = """
import os, sys, time
from driftline.log import Record
from driftline.log.kafka.relay import Relay
from driftline.log.kafka.settings import parse_kafka_url
relay = Relay(parse_kafka_url(sys.argv[1], {}), direct_timeout_s=0.3)
append = lambda first, count: relay.append(
    [Record("driftline.predictions", b"session", b"%d" % number) for number in range(first, first + count)]
)
append(0, 10)
print("up", flush=True)
sys.stdin.readline()
append(10, 3000)
append(3010, 500)
print("spilled", relay.spilled(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", sampled(["kill", "pause"], 2))
def test_what_a_killed_client_left_is_forwarded_by_the_next_and_repeats_say_so(kafka, topics, how, caplog):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", CLIENT, topics.url()], env=environment, **pipes) as client:
        assert client.stdout.readline() == "up\n"
        away(kafka, how)
        client.stdin.write("go\n")
        client.stdin.flush()
        assert client.stdout.readline() == "spilled 3500\n"
        client.kill()
    back(kafka, how)
    relay = Relay(topics.settings())
    with caplog.at_level(logging.WARNING, logger="driftline.log.kafka"):
        relay.append(events(0, 1, b"another"))
        wait_for(lambda: "were forwarded" in caplog.text)
    relay.close()
    assert "3500 events that processes had left" in caplog.text
    seen = [one for one in topics.read(EVENTS) if one.key == b"session"]
    repeats = [int(one.value) for one in seen if one.headers == [(MAY_REPEAT_HEADER, b"1")]]
    first = [int(one.value) for one in seen if not one.headers]
    # What was on its way comes with the header, behind what had arrived of it without.
    assert repeats == list(range(10, 3_010))
    assert sorted(set(first)) == sorted(first)
    assert set(first) | set(repeats) == set(range(3_510))
    arrived = [number for number in first if 10 <= number < 3_010]
    assert arrived == list(range(10, 10 + len(arrived)))
    assert spill_folders(topics.spill) == []


def test_an_append_that_neither_cluster_nor_disk_takes_is_sent_once_however_often_it_is_tried(kafka, topics):
    blocker = topics.spill
    blocker.touch()
    relay = Relay(topics.settings(), direct_timeout_s=0.2)
    relay.append(events(0, 10))
    kafka.pause()
    for _ in range(3):
        with pytest.raises(LogError, match="can't be made"):
            relay.append(events(10, 10))
    with pytest.raises(LogError, match="can't be made"):
        relay.append(events(20, 1))  # A heartbeat on the reserve, say: it must not overtake.
    kafka.resume()
    wait_for(lambda: appended(relay, events(10, 10)))
    relay.append(events(20, 1))
    relay.close()
    assert numbers(topics) == list(range(21))


def appended(relay: Relay, records: list[Record]) -> bool:
    try:
        relay.append(records)
    except LogError:
        return False
    return True


def test_when_the_disk_takes_records_again_what_was_on_its_way_comes_first(kafka, topics):
    topics.spill.touch()
    relay = Relay(topics.settings(), direct_timeout_s=0.2)
    relay.append(events(0, 10))
    kafka.pause()
    assert not appended(relay, events(10, 10))
    topics.spill.unlink()
    relay.append(events(20, 10))  # Nobody asks for the earlier one again; it is sent all the same.
    assert relay.spilled() == 20
    kafka.resume()
    wait_for(lambda: relay.spilled() == 0)
    relay.close()
    assert numbers(topics) == list(range(30))


def test_without_a_spill_an_append_fails_in_time_and_is_sent_once(kafka, topics):
    relay = Relay(topics.settings(spill="off"), direct_timeout_s=0.3)
    relay.append(events(0, 10))
    kafka.pause()
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(LogError, match=r"takes nothing: no answer within 0\.3 s"):
            relay.append(events(10, 10))
    assert time.monotonic() - began < 20.0
    kafka.resume()
    wait_for(lambda: appended(relay, events(10, 10)))
    relay.close()
    assert numbers(topics) == list(range(20))
    assert not topics.spill.exists()


def test_a_full_spill_refuses_and_what_it_holds_arrives(kafka, topics):
    relay = Relay(topics.settings(spill_bytes=4 << 20), direct_timeout_s=0.2)
    relay.append(events(0, 1))
    kafka.pause()
    taken = []
    while appended(relay, [Record(EVENTS, b"session", b"%d " % len(taken) + bytes(60_000))]):
        taken.append(len(taken))
        assert len(taken) < 75
    assert len(taken) > 50
    with pytest.raises(LogFullError):
        relay.append([Record(EVENTS, b"session", bytes(60_000))])
    kafka.resume()
    wait_for(lambda: relay.spilled() == 0)
    relay.close()
    assert [int(one.value.split(b" ")[0]) for one in topics.read(EVENTS)] == [0, *taken]


def test_a_broker_that_is_away_from_the_start_is_waited_for_on_disk(kafka, topics):
    kafka.kill()
    relay = Relay(topics.settings(), direct_timeout_s=0.2, first_timeout_s=0.2)
    relay.append(events(0, 10))
    relay.append(events(10, 10))
    assert relay.spilled() == 20
    kafka.start()
    wait_for(lambda: relay.spilled() == 0)
    relay.close()
    assert numbers(topics) == list(range(20))


@pytest.mark.parametrize("how", sampled(["kill", "pause"], 2, first=1))
def test_closing_is_bounded_tells_what_waits_and_the_command_forwards_it(kafka, topics, how, caplog):
    relay = Relay(topics.settings(), direct_timeout_s=0.2)
    relay.append(events(0, 10))
    away(kafka, how)
    relay.append(events(10, 10))
    relay.append(events(20, 10))
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="driftline.log.kafka"):
        relay.close()
    assert time.monotonic() - began < 20.0
    relay.close()
    assert "20 events wait on disk" in caplog.text
    with pytest.raises(LogError, match="closed"):
        relay.append(events(30, 1))
    command = [sys.executable, "-m", "driftline.cli", "forward", "--log", topics.url()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = {"env": environment, "capture_output": True, "text": True, "timeout": 40}
    waiting = subprocess.run([*command, "--timeout", "1"], check=False, **run)
    assert waiting.returncode == 1
    assert "still waits" in waiting.stderr
    back(kafka, how)
    finished = subprocess.run(command, check=False, **run)
    assert finished.returncode == 0, finished.stderr
    assert "20 records forwarded" in finished.stdout
    assert set(numbers(topics)) == set(range(30))
    twice = Counter(one.value for one in topics.read(EVENTS) if not one.headers)
    assert set(twice.values()) == {1}


def test_what_may_have_been_sent_waits_until_the_cluster_has_answered_for_a_moment(kafka, topics):
    """A broker that comes back may still work off the last request of the process that is gone."""
    found = spill_settings(topics.settings())
    gone = Spill.create(found)
    gone.put(events(0, 10))
    gone.take()
    gone.close()
    (folder,) = spill_folders(topics.spill)
    forwarding = Forwarding(Spill.adopt(found, folder), open_sender(topics.settings()))
    kafka.pause()
    began = time.monotonic()
    while time.monotonic() < began + SETTLE_S + 0.5:
        assert forwarding.step() is Progress.WAITING
    kafka.resume()
    began = time.monotonic()
    while forwarding.step() is not Progress.EMPTY:
        assert time.monotonic() < began + 20
    assert time.monotonic() - began >= SETTLE_S
    forwarding.spill.close()
    assert [bool(one.headers) for one in topics.read(EVENTS)] == [True] * 10


def test_a_living_process_keeps_its_spill(kafka, topics):
    relay = Relay(topics.settings(), direct_timeout_s=0.2)
    relay.append(events(0, 10))
    kafka.pause()
    relay.append(events(10, 10))
    forwarded = forward_orphans(topics.settings(), threading.Event())
    assert forwarded.records == 0
    assert forwarded.owned == spill_folders(topics.spill)
    assert len(forwarded.owned) == 1
    kafka.resume()
    wait_for(lambda: relay.spilled() == 0)
    relay.close()
    assert numbers(topics) == list(range(20))


@pytest.mark.parametrize("is_spilling", [False, True])
def test_a_forked_child_begins_anew_and_neither_disturbs_the_other(kafka, topics, is_spilling):
    relay = Relay(topics.settings(), direct_timeout_s=0.3)
    relay.append(events(0, 10, b"parent"))
    if is_spilling:
        kafka.pause()
        relay.append(events(10, 10, b"parent"))
    if (pid := os.fork()) == 0:
        signal.alarm(30)  # A child that hangs ends with a signal.
        status = 1
        try:
            assert relay.spilled() == 0
            relay.append(events(0, 10, b"child"))
            relay.append(events(10, 10, b"child"))
            status = 0 if not is_spilling or relay.spilled() == 20 else 2
            if is_spilling:
                os.kill(os.getppid(), signal.SIGCONT)
                wait_for(lambda: relay.spilled() == 0)
            relay.close()
        finally:
            os._exit(status)
    if is_spilling:
        wait_for(lambda: len(spill_folders(topics.spill)) == 2)
        kafka.resume()
    assert os.waitpid(pid, 0)[1] == 0
    relay.append(events(20 if is_spilling else 10, 10, b"parent"))
    wait_for(lambda: relay.spilled() == 0)
    relay.close()
    assert numbers(topics, key=b"child") == list(range(20))
    assert numbers(topics, key=b"parent") == list(range(30 if is_spilling else 20))
    assert spill_folders(topics.spill) == []
