"""Late events change the verdicts on the features together, too."""

import numpy as np
import pytest

from driftline.domain.names import JOINT
from tests.drift.service.watching import HOUR, HOUR_S, ends_of, make_worker, opened_landing, reported
from tests.support.landing import put

DAYS = 9
LATE = DAYS * 24 + 2
"""An hour, some events of which arrive late."""

END = LATE + 4
ROWS = 40


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """Two features that hang together; late rows in which they do otherwise."""
    with opened_landing(tmp_path_factory.mktemp("joint")) as opened:
        put_related(opened, range(END))
        opened.worker = make_worker(opened)
        opened.worker.watch_once()
        opened.before = together(opened)
        put_related(opened, [LATE], sign=-1.0, rows=3 * ROWS, begin=ROWS)
        opened.worker.watch_once()
        yield opened


def put_related(landing, hours, *, sign=1.0, rows=ROWS, begin=0):
    def row(hour, number):
        first, second = np.random.default_rng((hour, number)).normal(size=2).tolist()
        features = {"age": first, "height": 0.9 * sign * first + 0.44 * second}
        return {"features": features, "event_time": float((HOUR + hour) * HOUR_S + number)}

    put(landing, (row(hour, number) for hour in hours for number in range(begin, rows)))


def together(landing):
    return [row for row in reported(landing) if row["feature"] == JOINT]


def at(rows, hour, scale):
    """Return the verdict on a window that ends with an hour."""
    (row,) = [row for row in rows if ends_of([row]) == {hour + 1} and row["scale_hours"] == scale]
    return row


def test_windows_that_hold_the_late_hour_are_judged_anew_once_and_say_why(landing):
    rows = together(landing)
    assert {row["revision"] for row in landing.before} == {1}
    assert len(rows) == len(landing.before)
    for scale in (1, 6, 24):
        revised = ends_of(row for row in rows if row["revision"] == 2 and row["scale_hours"] == scale)
        assert revised == set(range(LATE + 1, min(LATE + scale, END - 1) + 1))  # The newest hour is open.
    row = at(rows, LATE, 1)
    assert at(landing.before, LATE, 1)["verdict"] == "ok"
    assert row["verdict"] == "warn"
    assert row["sample_size"] == 3 * ROWS
    assert row["revised_because"].startswith(f"{2 * ROWS} events of this hour arrived late")


def test_a_second_look_changes_nothing(landing):
    before = reported(landing)
    assert landing.worker.watch_once() == 0
    assert make_worker(landing).watch_once() == 0
    assert reported(landing) == before
