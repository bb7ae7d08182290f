"""Apache Kafka as the tests run it: it keeps what it was given, and breaks on request."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from tests.support.certificates import make_certificates
from tests.support.java import jars
from tests.support.java.jars import JavaMissingError
from tests.support.kafka import PASSWORD, USER, Kafka
from tests.support.process import ServerError, first_port_of_clients, free_ports, is_listening
from tests.support.running import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def own(tmp_path_factory, certificates):
    """A broker that only the tests of this module break."""
    broker = Kafka(tmp_path_factory.mktemp("own"), certificates=certificates)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


def test_what_is_written_is_read(kafka, make_topic):
    topic = make_topic(kafka.bootstrap)
    assert topic.put(b"a", b"b") == []
    assert topic.values(2) == [b"a", b"b"]


def test_topics_do_not_come_by_themselves(kafka, make_topic):
    topic = make_topic(kafka.bootstrap, **{"topic.metadata.propagation.max.ms": 500})
    topic.name += "-mistyped"
    (error,) = topic.put(b"a", timeout_s=5.0)
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_a_killed_broker_comes_back_where_it_was_with_what_it_had(own, make_topic):
    topic = make_topic(own.bootstrap)
    assert topic.put(b"before") == []
    address = own.bootstrap
    own.kill()
    assert not own.process().is_alive
    (error,) = topic.put(b"meanwhile", timeout_s=1.0)
    assert error.code() == KafkaError._MSG_TIMED_OUT
    own.start()
    assert own.bootstrap == address
    assert topic.put(b"after") == []
    assert topic.values(2) == [b"before", b"after"]


def test_a_paused_broker_answers_nothing_and_goes_on_when_resumed(own, make_topic):
    topic = make_topic(own.bootstrap)
    own.pause()
    assert is_listening(int(own.bootstrap.rpartition(":")[2]))
    (error,) = topic.put(b"meanwhile", timeout_s=1.0)
    assert error.code() == KafkaError._MSG_TIMED_OUT
    own.resume()
    assert topic.put(b"after") == []


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_user_passes_with_its_password_alone(own, certificates, make_topic, mechanism):
    settings = {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(certificates.authority),
        "sasl.mechanism": mechanism,
        "sasl.username": USER,
        "sasl.password": PASSWORD,
    }
    topic = make_topic(own.sasl_bootstrap, **settings)
    assert topic.put(b"a") == []
    refused = _refusal(own.sasl_bootstrap, **{**settings, "sasl.password": "another"})
    assert refused == KafkaError._AUTHENTICATION


def test_who_trusts_the_authority_connects_by_tls(own, certificates, make_topic):
    settings = {"security.protocol": "SSL", "ssl.ca.location": str(certificates.authority)}
    assert make_topic(own.tls_bootstrap, **settings).put(b"a") == []
    # The system's own authorities did not sign it.
    assert _refusal(own.tls_bootstrap, **{"security.protocol": "SSL"}) == KafkaError._SSL


def test_of_three_brokers_one_may_be_missed(tmp_path, make_topic):
    cluster = Kafka(tmp_path, brokers=3)
    try:
        cluster.start()
        assert len(_ask(cluster.bootstrap).brokers) == 3
        topic = make_topic(cluster.bootstrap)
        cluster.kill(3)
        assert topic.put(b"a") == []
        cluster.start(3)
        wait_until(lambda: len(_ask(cluster.bootstrap).brokers) == 3)
    finally:
        cluster.kill()


def test_a_broker_that_can_not_start_says_why(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        broken = Kafka(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(ServerError, match=r"broker 1 ended while coming up(.|\n)*Address already in use"):
            broken.start()


def test_a_setting_that_is_wrong_is_reported(tmp_path):
    broken = Kafka(tmp_path, settings={"log.cleaner.threads": "none"})
    with pytest.raises(ServerError, match=r"log\.cleaner\.threads"):
        broken.start()


def test_as_a_program_it_says_where_it_is_and_stops_when_asked(tmp_path):
    with _program(tmp_path) as program:
        bootstrap = program.stdout.readline().strip()
        assert len(_ask(bootstrap).brokers) == 1
        program.terminate()
        assert program.wait(60) == 0
    assert not is_listening(int(bootstrap.rpartition(":")[2]))


def test_a_broker_does_not_outlive_the_process_that_started_it(tmp_path):
    with _program(tmp_path) as program:
        port = int(program.stdout.readline().rpartition(":")[2])
        assert is_listening(port)
        os.kill(program.pid, signal.SIGKILL)
    wait_until(lambda: not is_listening(port), timeout_s=60.0)


def test_without_java_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JavaMissingError, match="no `java` here"):
        Kafka(tmp_path)


def test_what_can_not_be_fetched_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(jars, "CACHE", tmp_path / "cache")
    maven = tmp_path / "mvn"
    maven.write_text('#!/bin/sh\ntouch "${4#-Dfolder=}/half"\necho "nowhere to fetch from"\nexit 1\n')
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(JavaMissingError, match="nowhere to fetch from"):
        jars.fetch("kafka")
    assert [path.name for path in jars.CACHE.iterdir()] == ["lock"]


def test_two_who_fetch_at_once_fetch_once(monkeypatch, tmp_path):
    fetches = tmp_path / "fetches"
    maven = tmp_path / "mvn"
    maven.write_text(f'#!/bin/sh\necho one >>{fetches}\nsleep 0.5\ntouch "${{4#-Dfolder=}}/jar"\n')
    maven.chmod(0o755)
    code = "import sys, pathlib; from tests.support.java import jars\n"
    code += "jars.CACHE = pathlib.Path(sys.argv[1]); print(*(p.name for p in jars.fetch('kafka').iterdir()))"
    command = [sys.executable, "-c", code, str(tmp_path / "cache")]
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    runs = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [run.communicate(timeout=30)[0].strip() for run in runs] == ["jar", "jar"]
    assert fetches.read_text() == "one\n"


def test_free_ports_are_none_that_a_client_is_given():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert max(ports) < first_port_of_clients()


def _ask(bootstrap):
    """Return what a cluster tells of itself."""
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=60.0)


def _refusal(bootstrap, **settings):
    """Return why a cluster does not talk to a client."""
    errors = []
    admin = AdminClient(
        {"bootstrap.servers": bootstrap, "log_level": 0, "error_cb": errors.append, **settings}
    )
    # A broker that is slow to shake hands is first reported as one that is not there.
    slow = {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN}

    def reasons():
        admin.poll(0.5)
        return [error.code() for error in errors if error.code() not in slow]

    wait_until(reasons, timeout_s=30.0)
    return reasons()[0]


def _program(folder):
    command = [sys.executable, "-m", "tests.support.kafka", "--folder", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
