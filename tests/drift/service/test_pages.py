"""Pages from the traffic to the engineer's word and back into the verdicts, with a worker and a store."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from tests.drift.service.watching import HOUR, HOUR_S, make_worker, opened_landing, put_hours, told

BROKEN = 300
"""From this hour on all amounts are far too large."""


@pytest.fixture
def landing(tmp_path):
    with opened_landing(tmp_path) as opened:
        yield opened


def shift(hour):
    return 500.0 if hour >= BROKEN else 0.0


def ask(place, *arguments):
    done = CliRunner().invoke(
        driftline, [*arguments, "--json"], env={"DRIFTLINE_STORE": place.place.store_url}
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def newest(place, hour):
    end = (HOUR + hour) * HOUR_S
    rows = [row for row in told(place) if row["window_end"].timestamp() == end and row["feature"] == "amount"]
    return {row["verdict"] for row in rows if row["reference"] == "production"}


@pytest.mark.parametrize("restarts", [False, True])
def test_a_page_is_told_acknowledged_and_accepted_while_the_worker_goes_on(landing, restarts):
    put_hours(landing, 0, BROKEN + 4, shift=shift)
    worker = make_worker(landing)
    worker.watch_once()
    (page,) = ask(landing, "pages")
    assert (page["state"], page["word"]) == ("open", None)
    assert page["headline"].startswith("amount: ")
    assert newest(landing, BROKEN + 3) == {"page"}
    ask(landing, "ack", page["page_id"][:5], "--accept", "--by", "Ada")
    if restarts:
        worker = make_worker(landing)
    worker.watch_once()
    put_hours(landing, BROKEN + 4, BROKEN + 7, shift=shift)
    worker.watch_once()
    assert newest(landing, BROKEN + 6) == {"learning"}
    (page,) = ask(landing, "pages")
    assert (page["state"], page["word"]) == ("accepted", "accept")
