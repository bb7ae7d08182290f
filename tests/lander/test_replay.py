"""Dead letters are sent through again once the cause is mended, and land once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from driftline.lander import replay
from driftline.lander.replay import Replayed, replay_dead_letters
from driftline.store.dead_letters import DeadLetterFilter, read_dead_letters
from driftline.store.visible import visible
from driftline.wire import PREDICTION, event_schema
from tests.lander.records import record

TEXT = event_schema(PREDICTION).text
LIMIT = 100
TOTAL = 6


@pytest.fixture
def mended(landing, monkeypatch):
    """A landing with six dead letters of one session, whose schema has become known since."""
    landing.log.writer().append([record(7, TEXT, number) for number in range(1, TOTAL + 1)])
    landing.lander.run_until_idle()
    assert landing.count("dead_letters") == TOTAL
    monkeypatch.setattr(landing.log, "writer_schema", {7: TEXT}.get)
    return landing


def again(landing, chosen=DeadLetterFilter()):  # noqa: B008  frozen
    return replay_dead_letters(landing.log, landing.store, chosen, limit=LIMIT)


def rows(landing):
    return landing.client.rows("SELECT sequence FROM predictions ORDER BY sequence")


def counted(landing):
    """Return how many values and rows are counted once what landed is derived."""
    landing.profiler.run_until_idle()
    asked = f"SELECT (SELECT sum(count) FROM profiles WHERE kind = 'numeric' AND {visible()}), "
    asked += f"(SELECT sum(rows) FROM session_hours WHERE {visible()})"
    return landing.client.rows(asked)[0]


def test_what_waits_lands_and_is_counted(mended):
    assert again(mended) == Replayed(landed=TOTAL, refused=0)
    assert rows(mended) == [(number,) for number in range(1, TOTAL + 1)]
    assert counted(mended) == (TOTAL, TOTAL)
    assert read_dead_letters(mended.client, DeadLetterFilter(), limit=LIMIT) == []
    assert len(read_dead_letters(mended.client, DeadLetterFilter(waiting=False), limit=LIMIT)) == TOTAL


def test_what_has_landed_is_not_tried_again(mended):
    again(mended)
    assert again(mended) == Replayed(landed=0, refused=0)
    assert counted(mended) == (TOTAL, TOTAL)


def test_interrupted_before_it_was_noted_a_dead_letter_lands_once_all_the_same(mended, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(replay, "write_dead_letter", crash)
        with pytest.raises(KeyboardInterrupt):
            again(mended)
    assert len(rows(mended)) == 1
    assert again(mended) == Replayed(landed=TOTAL, refused=0)
    assert rows(mended) == [(number,) for number in range(1, TOTAL + 1)]
    assert counted(mended) == (TOTAL, TOTAL)


def test_going_through_the_log_once_more_lands_neither_the_dead_letters_nor_the_rest_again(mended):
    again(mended)
    mended.lander.rewind()
    mended.lander.run_until_idle()
    assert rows(mended) == [(number,) for number in range(1, TOTAL + 1)]
    assert counted(mended) == (TOTAL, TOTAL)


def test_of_two_copies_that_were_refused_one_lands(landing, monkeypatch):
    """The log says of the second that it may be one, of which nothing was known while neither had landed."""
    original = record(7, TEXT, 1)
    landing.log.writer().append([original, original._replace(may_repeat=True)])
    landing.lander.run_until_idle()
    assert landing.count("dead_letters") == 2
    monkeypatch.setattr(landing.log, "writer_schema", {7: TEXT}.get)
    assert again(landing) == Replayed(landed=2, refused=0)
    assert rows(landing) == [(1,)]


def test_dead_letters_are_chosen_by_the_model_of_their_session_and_by_when_they_were_refused(mended):
    dead_letters = read_dead_letters(mended.client, DeadLetterFilter(), limit=LIMIT)
    session = dead_letters[0].session_id or "nobody"
    mended.client.insert(
        "sessions",
        [[session, "m", "1", "production"]],
        column_names=["session_id", "model_name", "model_version", "environment"],
    )

    def count(**chosen):
        return len(read_dead_letters(mended.client, DeadLetterFilter(**chosen), limit=LIMIT))

    newest, oldest = dead_letters[0].refused_time, dead_letters[-1].refused_time
    assert count(model_name="m") == sum(each.session_id == session for each in dead_letters)
    assert count(model_name="other") == 0
    assert count(since=oldest - timedelta(seconds=1)) == TOTAL
    assert count(since=newest) == 0


def test_only_what_is_chosen_is_sent_through(mended):
    assert again(mended, DeadLetterFilter(offset=2)) == Replayed(landed=1, refused=0)
    assert rows(mended) == [(3,)]
    assert again(mended, DeadLetterFilter(reason="undecodable")) == Replayed(landed=0, refused=0)


def test_what_is_refused_again_stays_with_what_is_wrong_now(landing, monkeypatch):
    late = record(7, TEXT, 1, training_run_id="")
    landing.log.writer().append([late])
    landing.lander.run_until_idle()
    monkeypatch.setattr(landing.log, "writer_schema", {7: TEXT}.get)
    (before,) = read_dead_letters(landing.client, DeadLetterFilter(), limit=LIMIT)
    assert again(landing) == Replayed(landed=0, refused=1)
    (after,) = read_dead_letters(landing.client, DeadLetterFilter(), limit=LIMIT)
    assert (before.reason, after.reason) == ("unknown_schema", "violates_training_run_id_given")
    assert replace(after, reason=before.reason, detail=before.detail, revision=0) == before


def test_the_ledger_counts_a_dead_letter_until_it_lands(mended):
    def line():
        (found,) = mended.ledger()
        return found.sent, found.landed, found.dead_lettered, found.missing

    again(mended, DeadLetterFilter(offset=5))
    again(mended)
    assert line() == (TOTAL, TOTAL, 0, 0)
