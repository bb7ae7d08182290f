"""A short soak: the books balance to the event, whatever went wrong; and books that do not are reported."""

from __future__ import annotations

import json

from driftline.log import Record
from driftline.wire import PREDICTIONS_TOPIC
from tests.soak.books import check_books, read_journals
from tests.soak.client import event
from tests.soak.odd import KINDS
from tests.soak.report import as_text
from tests.soak.run import Plan, soak
from tests.support.landing import Landing
from tests.support.running import Place
from tests.support.traffic import make_logger


def test_after_a_dozen_faults_the_books_balance(tmp_path):
    plan = Plan(seconds=25.0, faults=12, rate=1_500.0, clients=2, landers=2, seed=3)
    outcome = soak(tmp_path, plan, lambda _: None)
    assert outcome.books.wrong == [], as_text(outcome)
    assert outcome.faults.total() == 12
    assert outcome.books.landed > 10_000
    assert outcome.books.dead_lettered == outcome.poison.total() > 0
    assert set(outcome.odd) == set(KINDS)
    assert min(outcome.odd.values()) > 0


def journal_of(logger, **changes):
    stats = logger.stats()
    line = {"session": logger.session_id, "accepted": stats.accepted, "appended": stats.appended}
    return {**line, "dropped": {}, "abandoned": {}, "final": True, **changes}


def test_books_that_do_not_balance_are_reported(tmp_path):
    landing = Landing(Place(tmp_path))
    names = {"model_name": "soak", "model_version": "0"}
    with make_logger(landing.log, **names) as logger:
        for number in range(50):
            logger.log(**event(number))
    landing.land()
    journal = journal_of(logger)
    (tmp_path / "client.jsonl").write_text(json.dumps(journal) + '\n{"cut sho')
    journals = read_journals(tmp_path)
    assert check_books(landing.client, journals, 0).wrong == []
    claimed = {logger.session_id: {**journal, "accepted": 51}}
    assert check_books(landing.client, claimed, 0).wrong
    assert check_books(landing.client, journals, 1).wrong == ["dead letters: 0 is not 1"]
    for broken in (
        "DELETE FROM profiles WHERE kind = 'numeric' AND feature = 'amount'",
        "DELETE FROM profiles WHERE kind = 'categorical' AND feature = 'city'",
        "DELETE FROM profiles WHERE kind = 'missing' AND feature = 'age'",
    ):
        landing.client.command(broken)
    reported = "\n".join(check_books(landing.client, journals, 0).wrong)
    assert all(f"{kind}: " in reported for kind in ("numeric", "categorical", "missing"))
    landing.log.writer().append([Record(PREDICTIONS_TOPIC, b"", value) for value in _again(landing)])
    landing.land()
    assert "1 rows doubled" in "\n".join(check_books(landing.client, journals, 0).wrong)
    landing.close()


def _again(landing):
    """Return the bytes of one event that has landed."""
    batch = landing.log.reader("again").fetch(PREDICTIONS_TOPIC, max_records=1)
    return batch.values
