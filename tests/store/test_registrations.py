"""A run that is registered again has its newest rows as its reference, alone; rules and grids follow them."""

from __future__ import annotations

import pytest

from driftline import register_training_run
from driftline.domain.streams import Stream
from driftline.profiles import Grid
from driftline.store.grids import is_reference_complete, read_grids
from driftline.store.profiles import read_hours, read_streams
from driftline.store.rule_samples import read_samples
from driftline.store.rules import read_rules
from tests.support.landing import put
from tests.support.training import WAIVED

ROWS = 1100
CELSIUS = [20.0 + number % 11 for number in range(ROWS)]
FAHRENHEIT = [1.8 * value + 32 for value in CELSIUS]


def register(landing, model, reference, *, version="1", run="run", lands=True, **more):
    register_training_run(
        run,
        model_name=model,
        model_version=version,
        waive=WAIVED,
        log=landing.log,
        reference=reference,
        **more,
    )
    if lands:
        landing.land()


def reference_of(client, model, version="1"):
    return next(span for span in read_streams(client) if span.stream == Stream(model, version, "reference"))


@pytest.mark.parametrize("at_once", [False, True])
def test_the_newest_registration_alone_is_the_reference(landing, client, at_once):
    """Whether both land together or not."""
    model = f"again-{at_once}"
    register(landing, model, {"temp": FAHRENHEIT}, lands=not at_once)
    station = ["AB"[number % 2] for number in range(ROWS)]
    register(landing, model, {"temp": CELSIUS, "station": station})
    sample = read_samples(client, model, "1")["reference"]
    assert sample.rows == ROWS
    assert (sample.features["temp"].minimum, sample.features["temp"].maximum) == (20.0, 30.0)
    rules = read_rules(client, model)["1"]
    assert (rules["temp"].minimum, rules["temp"].maximum) == (15.0, 35.0)
    assert rules["station"].allowed == ("A", "B")
    assert read_grids(client, model)["temp"] == Grid.from_values(CELSIUS)
    assert reference_of(client, model).rows == ROWS
    assert is_reference_complete(client, model)


def test_every_registration_is_kept(landing, client):
    for values in (FAHRENHEIT, CELSIUS, CELSIUS):
        register(landing, "kept", {"temp": values}, data_uri=f"s3://{values[0]}")
    query = (
        "SELECT data_uri, reference_rows FROM registrations FINAL WHERE model_name = 'kept' "
        "ORDER BY registered_time"
    )
    assert client.rows(query) == [("s3://68.0", ROWS), ("s3://20.0", ROWS), ("s3://20.0", ROWS)]
    assert client.rows("SELECT count() FROM training_runs FINAL WHERE model_name = 'kept'") == [(1,)]


def test_which_is_newer_follows_from_the_log_and_no_clock(landing, client):
    register(landing, "clocks", {"temp": FAHRENHEIT}, clock=lambda: 4.0e9)
    register(landing, "clocks", {"temp": CELSIUS}, clock=lambda: 1.0e9)
    assert read_samples(client, "clocks", "1")["reference"].features["temp"].maximum == 30.0
    assert client.rows(
        "SELECT toYear(registered_time) FROM training_runs FINAL WHERE model_name = 'clocks'"
    ) == [(2001,)]


def test_a_registration_without_rows_leaves_the_reference_as_it_is(landing, client):
    register(landing, "metrics", {"temp": CELSIUS})
    register(landing, "metrics", None, metrics={"auc": 0.9})
    assert read_samples(client, "metrics", "1")["reference"].rows == ROWS
    assert reference_of(client, "metrics").rows == ROWS


def test_rows_of_a_registration_that_has_not_come_count_for_nobody(landing, client):
    """Half registered: the rows are logged first, and the run last."""
    register(landing, "half", {"temp": CELSIUS})
    rows = [{"features": {"temp": value}} for value in FAHRENHEIT[:50]]
    put(landing, rows, model_name="half", model_version="1", environment="reference")
    sample = read_samples(client, "half", "1")["reference"]
    assert (sample.rows, sample.features["temp"].maximum) == (ROWS, 30.0)


def test_another_version_keeps_its_own_reference_and_the_grid_of_the_first(landing, client):
    register(landing, "versions", {"temp": CELSIUS})
    register(landing, "versions", {"temp": FAHRENHEIT}, version="2", run="other")
    assert reference_of(client, "versions", "1").rows == ROWS
    assert reference_of(client, "versions", "2").rows == ROWS
    assert read_grids(client, "versions")["temp"] == Grid.from_values(CELSIUS)
    register(landing, "versions", {"temp": FAHRENHEIT}, version="2", run="other")
    assert read_grids(client, "versions")["temp"] == Grid.from_values(CELSIUS)
    span = reference_of(client, "versions", "2")
    hours = read_hours(client, span.stream, first_hour=span.first_hour, end_hour=span.last_hour + 1)
    assert sum(hour.rows for hour in hours.profiles) == ROWS
