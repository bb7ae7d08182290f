"""Topics that are made, made again when they are gone, and refused when they do not keep what they get."""

from __future__ import annotations

from contextlib import closing

import pytest
from confluent_kafka.admin import AdminClient

from driftline.errors import SettingError
from driftline.log import open_log
from driftline.wire import TOPICS
from tests.log.kafka.topics import Topics
from tests.support.running import wait_until


@pytest.fixture
def topics_with(kafka, tmp_path):
    return lambda settings: Topics(kafka, tmp_path, settings=settings)


def opened(topics):
    return closing(open_log(f"kafka://{topics.kafka.bootstrap}?topic_prefix={topics.prefix}"))


def test_topics_that_are_gone_are_made_again(topics_with):
    topics = topics_with(None)
    admin = AdminClient({"bootstrap.servers": topics.kafka.bootstrap})
    with opened(topics) as log:
        for answer in admin.delete_topics([topics.prefix + topic for topic in TOPICS]).values():
            answer.result()
        wait_until(lambda: not log.topics(), what="the end of the topics")
        log.ensure_topics(TOPICS)
        assert set(log.topics()) == set(TOPICS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cleanup.policy": "compact"}, r"is compacted \(cleanup.policy=compact\)"),
        ({"cleanup.policy": "compact,delete"}, "is compacted"),
        ({"retention.ms": "60000"}, r"keeps records for 60 s \(retention.ms=60000\)"),
        ({"retention.ms": "3599999"}, "set an hour at least"),
    ],
)
def test_a_topic_that_drops_records_before_they_land_is_refused(topics_with, settings, message):
    with opened(topics_with(settings)) as log, pytest.raises(SettingError, match=message):
        log.ensure_topics(TOPICS)


@pytest.mark.parametrize("settings", [{"retention.ms": "3600000"}, {"retention.ms": "-1"}, {}])
def test_a_topic_that_keeps_records_for_an_hour_or_for_good_is_fine(topics_with, settings):
    with opened(topics_with(settings)) as log:
        log.ensure_topics(TOPICS)
        assert set(log.topics()) == set(TOPICS)


def test_a_topic_that_is_read_from_its_beginning_is_made_to_be_kept_and_else_warned_of_once(
    kafka, tmp_path, caplog
):
    made = Topics(kafka, tmp_path, topics=["driftline.unused"])
    with opened(made) as log:
        log.ensure_topics(TOPICS)
        log.ensure_topics(TOPICS)
    assert caplog.text == ""
    finite = Topics(kafka, tmp_path, settings={"retention.ms": "86400000"})
    with opened(finite) as log:
        log.ensure_topics(TOPICS)
        log.ensure_topics(TOPICS)
    messages = [
        record.getMessage() for record in caplog.records if "deletes old records" in record.getMessage()
    ]
    assert len(messages) == 1
    assert "driftline.model-registry deletes old records (retention.ms=86400000)" in messages[0]
    assert "set retention.ms=-1 and retention.bytes=-1" in messages[0]
