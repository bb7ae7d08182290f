"""What a kafka:// URL and variables say about a cluster, and may not say; secrets stay secret."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from driftline.errors import SettingError
from driftline.log import open_log
from driftline.log.kafka.clients import (
    admin_config,
    check_options,
    consumer_config,
    make_consumer,
    make_producer,
    producer_config,
)
from driftline.log.kafka.settings import parse_kafka_url

URL = "kafka://host:9092"
SECRET = "tell-nobody"


def parsed(query: str = "", **environ: str):
    return parse_kafka_url(URL + (query and "?") + query, environ)


def test_brokers_are_those_before_the_query():
    settings = parse_kafka_url("kafka://a.example:9092,[::1]:9093,plain/?partitions=3", {})
    assert settings.bootstrap == "a.example:9092,[::1]:9093,plain"
    assert settings.url == "kafka://a.example:9092,[::1]:9093,plain/?partitions=3"
    assert producer_config(settings)["bootstrap.servers"] == settings.bootstrap


def test_every_option_of_librdkafka_passes_through():
    settings = parsed(
        "sasl.mechanism=SCRAM-SHA-256&ssl.ca.location=%2Fetc%2Fmy%20ca.pem&socket.keepalive.enable=true"
    )
    for config in (
        producer_config(settings),
        admin_config(settings),
        consumer_config(settings, "g", "consumer"),
    ):
        assert config["sasl.mechanism"] == "SCRAM-SHA-256"
        assert config["ssl.ca.location"] == "/etc/my ca.pem"
        assert config["socket.keepalive.enable"] == "true"


def test_driftlines_own_options():
    settings = parsed(
        "registry=http://host:8080/apis/ccompat/v7/&partitions=12&replication=3&spill=/var/spill"
        "&spill_bytes=8000000&spill_age_s=60&topic_prefix=stage.&group_prefix=stage-&group_instance_id=one"
    )
    assert settings.registry == "http://host:8080/apis/ccompat/v7"
    assert (settings.partitions, settings.replication) == (12, 3)
    assert (settings.spill, settings.spill_bytes, settings.spill_age_s) == (Path("/var/spill"), 8_000_000, 60)
    assert settings.broker_topic("t") == "stage.t"
    assert (settings.topic("stage.t"), settings.topic("other.t")) == ("t", None)
    config = consumer_config(settings, "lander", "consumer")
    assert (config["group.id"], config["group.instance.id"]) == ("stage-lander", "one")
    assert not set(config) & {"registry", "partitions", "spill", "topic_prefix", "group_prefix"}


def test_what_nobody_says_is_sensible(tmp_path):
    settings = parsed(XDG_DATA_HOME=str(tmp_path))
    assert (settings.partitions, settings.replication, settings.topic_prefix) == (-1, -1, "")
    assert settings.broker_group("lander") == "driftline-lander"
    assert settings.spill.parent == tmp_path / "driftline" / "spill"
    assert (settings.spill_bytes, settings.spill_age_s) == (1 << 30, 7 * 86_400)
    assert parsed("spill=off").spill is None


def test_clusters_and_prefixes_spill_apart_and_the_order_of_brokers_does_not_matter():
    urls = ["kafka://a:1,b:2", "kafka://c:1", "kafka://a:1,b:2?topic_prefix=x."]
    folders = [parse_kafka_url(url, {}).spill for url in urls]
    assert len(set(folders)) == 3
    assert parse_kafka_url("kafka://b:2,A:1", {}).spill == folders[0]


def test_a_variable_is_an_option():
    settings = parsed(
        DRIFTLINE_KAFKA_SASL_MECHANISM="PLAIN",
        DRIFTLINE_KAFKA_TOPIC_PREFIX="stage.",
        DRIFTLINE_REGISTRY="https://registry",
        DRIFTLINE_REGISTRY_SSL_CA_LOCATION="/etc/ca.pem",
    )
    assert settings.options == {"sasl.mechanism": "PLAIN"}
    assert (settings.topic_prefix, settings.registry) == ("stage.", "https://registry")
    assert settings.registry_options == {"ssl.ca.location": "/etc/ca.pem"}


def test_static_membership_has_one_name():
    assert parsed(DRIFTLINE_KAFKA_GROUP_INSTANCE_ID="one").group_instance_id == "one"
    with pytest.raises(SettingError, match="group_instance_id="):
        parsed("group.instance.id=one")


def test_the_url_goes_before_variables():
    settings = parsed(
        "sasl.mechanism=PLAIN&partitions=2&registry=http://mine",
        DRIFTLINE_KAFKA_SASL_MECHANISM="GSSAPI",
        DRIFTLINE_KAFKA_PARTITIONS="9",
        DRIFTLINE_REGISTRY="http://other",
    )
    assert settings.options == {"sasl.mechanism": "PLAIN"}
    assert (settings.partitions, settings.registry) == (2, "http://mine")


@pytest.mark.parametrize(("content", "password"), [("a b\n", "a b"), ("x\n\n", "x\n"), ("y", "y"), ("", "")])
def test_a_file_holds_a_secret_and_ends_with_a_line_feed_or_not(tmp_path, content, password):
    path = tmp_path / "password"
    path.write_text(content)
    settings = parsed(DRIFTLINE_KAFKA_SASL_PASSWORD_FILE=str(path))
    assert settings.secrets == {"sasl.password": password}
    assert settings.options == {}
    assert producer_config(settings)["sasl.password"] == password


def test_an_option_that_ends_with_file_is_one():
    settings = parsed(DRIFTLINE_KAFKA_SASL_OAUTHBEARER_ASSERTION_FILE="/run/token")
    assert settings.options == {"sasl.oauthbearer.assertion.file": "/run/token"}


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.config",
    ],
)
def test_a_secret_in_the_url_is_refused_and_not_repeated(name):
    variable = "DRIFTLINE_KAFKA_" + name.upper().replace(".", "_")
    with pytest.raises(SettingError, match=f"{variable}_FILE") as caught:
        open_log(f"{URL}?{name}={SECRET}", {})
    assert SECRET not in str(caught.value)
    assert parsed(**{variable: SECRET}).secrets == {name: SECRET}


@pytest.mark.parametrize(
    "url",
    [
        f"kafka://user:{SECRET}@host:9092",
        f"{URL}?registry=http://user:{SECRET}@registry",
        f"kafka://user:{SECRET}@[host",
    ],
)
def test_a_password_before_a_host_is_refused_and_not_repeated(url):
    with pytest.raises(SettingError) as caught:
        open_log(url, {})
    assert SECRET not in str(caught.value)


def test_a_secret_is_shown_nowhere(caplog):
    caplog.set_level(logging.DEBUG)
    environ = {
        "DRIFTLINE_KAFKA_SASL_PASSWORD": SECRET,
        "DRIFTLINE_KAFKA_SSL_KEY_PASSWORD": SECRET,
        "DRIFTLINE_REGISTRY_BASIC_AUTH_USER_INFO": f"user:{SECRET}",
    }
    url = f"{URL}?security.protocol=SASL_PLAINTEXT&sasl.mechanism=PLAIN&sasl.username=me&debug=conf,security"
    settings = parse_kafka_url(url, environ)
    assert SECRET not in repr(settings)
    with open_log(url, environ) as log:
        assert SECRET not in log.url + repr(log)
    consumer = make_consumer(consumer_config(settings, "g", "consumer"))
    consumer.poll(0.5)
    consumer.close()
    make_producer(producer_config(settings)).poll(0.5)
    assert "sasl.username" in caplog.text  # librdkafka has logged how it is configured,
    assert SECRET not in caplog.text  # but for that.


@pytest.mark.parametrize(
    "name",
    [
        "bootstrap.servers=x:1",
        "group.id=x",
        "enable.auto.commit=true",
        "enable.auto.offset.store=true",
        "auto.offset.reset=latest",
        "isolation.level=read_uncommitted",
        "enable.partition.eof=false",
        "partition.assignment.strategy=range",
        "allow.auto.create.topics=true",
        "enable.idempotence=false",
        "acks=1",
        "transactional.id=x",
        "error_cb=x",
        "on_delivery=x",
        "logger=x",
    ],
)
def test_what_delivery_rests_on_is_not_to_be_changed(name):
    option, _, value = name.partition("=")
    with pytest.raises(SettingError, match=option.replace(".", r"\.")):
        parsed(name)
    if "." in option:
        with pytest.raises(SettingError, match=option.replace(".", r"\.")):
            parsed(**{"DRIFTLINE_KAFKA_" + option.upper().replace(".", "_"): value})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("colour_scheme=red", "colour_scheme"),
        ("Linger.MS=1", "Linger.MS"),
        ("partitions=0", "partitions=0"),
        ("partitions=many", "partitions=many"),
        ("replication=-1", "replication=-1"),
        ("spill=relative/folder", "absolute path"),
        ("spill_bytes=1000", "4 MiB"),
        ("spill_age_s=-5", "spill_age_s=-5"),
        ("topic_prefix=No%20Name", "topic_prefix"),
        ("topic_prefix=1", "topic_prefix"),
        ("registry=ftp://host", "registry=ftp://host"),
        ("partitions=1&partitions=2", "twice"),
        ("partitions", "kafka://host:9092"),
        ("session.timeout.ms=6000", "group.protocol=classic"),
    ],
)
def test_a_wrong_option_is_reported(query, message):
    with pytest.raises(SettingError, match=message):
        parsed(query)


@pytest.mark.parametrize(
    "url", ["kafka://", "kafka://a b:1", "kafka://host:port", "kafka://h:1/path", "kafka://h#f"]
)
def test_a_wrong_place_is_reported(url):
    with pytest.raises(SettingError, match="kafka://"):
        parse_kafka_url(url, {})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DRIFTLINE_KAFKA_SASL_PASSWORD_FILE": "/nowhere/x"}, "/nowhere/x"),
        ({"DRIFTLINE_KAFKA_A_B": "1", "DRIFTLINE_KAFKA_A_B_FILE": "/x"}, "with and without"),
        ({"DRIFTLINE_REGISTRY_COLOUR": "red"}, "colour"),
        ({"DRIFTLINE_KAFKA_ERROR_CB": "x"}, "error.cb"),
    ],
)
def test_a_wrong_variable_is_reported(environ, message):
    with pytest.raises(SettingError, match=message):
        check_options(parse_kafka_url(URL, environ))


def test_classic_members_may_have_a_session_of_their_own():
    settings = parsed("group.protocol=classic&session.timeout.ms=6000")
    config = consumer_config(settings, "lander", "classic")
    assert (config["group.protocol"], config["session.timeout.ms"]) == ("classic", "6000")
    make_consumer(config).close()


def test_options_that_do_not_go_together_are_reported_when_they_are_used():
    settings = parsed("security.protocol=SSL&ssl.ca.location=/nowhere/ca.pem")
    check_options(settings)
    with pytest.raises(SettingError, match=r"ssl\.ca\.location"):
        make_producer(producer_config(settings))
