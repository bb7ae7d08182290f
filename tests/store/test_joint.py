"""What the joint check keeps comes back as it was, by stream and week."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.domain.streams import Stream
from driftline.profiles import NumericCounts
from driftline.store.joint import (
    JointCounts,
    JointFinding,
    read_joint_counts,
    read_joint_findings,
    read_projection,
    write_joint_counts,
    write_joint_findings,
    write_projection,
)

HOUR = 490_000
STREAM = Stream("kept", "3", "production")
OTHER = Stream("kept", "4", "production")


def counts_of(hour, *, rows=7, buckets=(-2, 0, 5)):
    numbers = (
        NumericCounts(np.array(buckets, dtype=np.int32), np.array([1, 2, 4], dtype=np.int64), -0.5, 9.25),
        NumericCounts(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64), 0.0, 0.0),
    )
    return JointCounts(hour, rows, 10 * rows, numbers, np.array([3, 0], dtype=np.int64))


def assert_same(found, expected):
    assert [(one.hour, one.rows, one.total) for one in found] == [
        (one.hour, one.rows, one.total) for one in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert one.together.tolist() == other.together.tolist()
        for number, same in zip(one.numbers, other.numbers, strict=True):
            assert number.buckets.tolist() == same.buckets.tolist()
            assert number.counts.tolist() == same.counts.tolist()
            assert (number.minimum, number.maximum) == (same.minimum, same.maximum)


def read(client, *, stream=STREAM, week=1, first=0, end=10):
    return read_joint_counts(client, stream, week, first_hour=HOUR + first, end_hour=HOUR + end)


@pytest.fixture(autouse=True)
def empty(client):
    for table in ("joint_projections", "joint_profiles", "joint_findings"):
        client.command(f"TRUNCATE TABLE {table}")


def test_counts_come_back_as_they_were_in_the_order_of_hours(client):
    counted = [counts_of(HOUR + 2), counts_of(HOUR, rows=9)]
    write_joint_counts(client, STREAM, 1, counted)
    write_joint_counts(client, STREAM, 1, [])
    assert_same(read(client), [counted[1], counted[0]])
    assert_same(read(client, first=1), [counted[0]])
    assert_same(read(client, end=2), [counted[1]])


def test_counts_belong_to_their_stream_and_week(client):
    write_joint_counts(client, STREAM, 1, [counts_of(HOUR)])
    assert read(client, week=2) == read(client, stream=OTHER) == []


def test_counts_that_are_written_again_replace_the_earlier_ones(client):
    write_joint_counts(client, STREAM, 1, [counts_of(HOUR, rows=7)])
    again = [counts_of(HOUR, rows=8)]
    write_joint_counts(client, STREAM, 1, again)
    assert_same(read(client), again)


def test_a_projection_is_kept_by_stream_and_week(client):
    write_projection(client, STREAM, 1, '{"name": "é"}')
    assert read_projection(client, STREAM, 1) == '{"name": "é"}'
    assert read_projection(client, STREAM, 2) is None
    assert read_projection(client, OTHER, 1) is None


def test_findings_are_read_by_when_their_windows_ended_and_count_once(client):
    early = JointFinding("age × height", "categorical", 1, HOUR, HOUR + 1, HOUR)
    late = JointFinding("(distance)", "numeric", 6, HOUR, HOUR + 6, HOUR)
    write_joint_findings(client, STREAM, [early, late])
    write_joint_findings(client, STREAM, [early])
    write_joint_findings(client, STREAM, [])

    def found(stream, since, end):
        return set(read_joint_findings(client, stream, since_hour=HOUR + since, end_hour=HOUR + end))

    assert found(STREAM, 0, 6) == {early, late}
    assert len(read_joint_findings(client, STREAM, since_hour=HOUR, end_hour=HOUR + 6)) == 2
    assert found(STREAM, 1, 6) == {late}
    assert found(STREAM, 0, 5) == {early}
    assert found(OTHER, 0, 6) == set()
