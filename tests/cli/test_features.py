"""`driftline features` and `driftline triage`, from a file of definitions to who is to blame."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from driftline.cli.app import driftline
from driftline.features.loading import load_definitions
from driftline.store.incidents import write_incidents
from tests.features.world import HOURS, START, events_of, incident, log_events
from tests.support.landing import Landing
from tests.support.running import Place

DEFINED = """
from datetime import timedelta

from driftline.features import Entity, FeatureService, FeatureView, Source

def tidy(row):
    return {"temp": row["celsius"], "wind": row["wind"], "sky": row["sky"]}

weather = FeatureView(
    "weather",
    Entity("airport", key="origin"),
    {"temp": "numeric", "wind": "numeric", "sky": "categorical"},
    ttl=timedelta(hours=6),
    source=Source(path=PATH, delay=timedelta(0)),
    transform=tidy,
    owner="met",
)
delays = FeatureService("delays", [weather], model="served")
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with definitions and Parquet, and a store."""
    folder = tmp_path_factory.mktemp("features")
    hours = [(place, hour) for hour in range(-4, HOURS) for place in range(10)]
    table = pa.table(
        {
            "origin": [f"A{place}" for place, _ in hours] + [None],
            "event_time": pa.array(
                [int(START.timestamp() + hour * 3600) for _, hour in hours] + [0], pa.timestamp("s", tz="UTC")
            ),
            "celsius": [10.0 + place + hour / 2 for place, hour in hours] + [0.0],
            "wind": [1.0] * (len(hours) + 1),
            "sky": ["clear"] * (len(hours) + 1),
        }
    )
    parquet.write_table(table, folder / "weather.parquet")
    definitions = folder / "mine.py"
    definitions.write_text(DEFINED.replace("PATH", repr(str(folder / "weather.parquet"))))
    landing = Landing(Place(folder / "place"))
    landing.close()
    return folder, definitions, landing


def run(world, *arguments, code=0):
    folder, _, landing = world
    env = {"DRIFTLINE_STORE": landing.place.store_url, "DRIFTLINE_ONLINE": f"sqlite://{folder}/online.db"}
    done = CliRunner().invoke(driftline, arguments, env=env)
    assert done.exit_code == code, done.output
    return done.stdout


def run_json(world, *arguments, **rest):
    return json.loads(run(world, *arguments, "--json", **rest))


def test_from_a_file_of_definitions_to_who_is_to_blame(world):
    """One walk, since each step stands on the one before."""
    folder, definitions, landing = world
    assert "no feature is registered" in run(world, "features", "list")
    assert [each["name"] for each in run_json(world, "features", "register", str(definitions))] == [
        "weather",
        "delays",
    ]
    assert "0 registered, 2 as they were" in run(world, "features", "register", str(definitions))
    (filled,) = run_json(world, "features", "backfill", "weather", "--definitions", str(definitions), code=1)
    assert (filled["rows"], filled["refusals"]) == (80, [{"row": 80, "why": "there is no origin"}])
    listed = {each["name"]: each for each in run_json(world, "features", "list")}
    assert (listed["weather"]["rows"], listed["weather"]["used_by"]) == (80, ["delays (served)"])
    assert listed["weather"]["is_expired"]
    assert "delays (served)" in run(world, "features", "list")
    assert "def tidy(row):" in run(world, "features", "show", "weather")
    assert run_json(world, "features", "materialize") == [
        {"view": "weather", "entities": 10, "is_whole": True}
    ]
    assert "weather: 0 entities" in run(world, "features", "materialize", "weather")

    (folder / "asked.csv").write_text(
        "origin,event_time\nA3,2026-02-02T01:30:00\nnobody,2026-02-02T01:30:00\n"
    )
    asked = ("features", "training-set", "delays", "--entities", str(folder / "asked.csv"), "--times")
    made = run_json(world, *asked, "--out", str(folder / "set.parquet"))
    assert made["rows"] == 2
    rows = parquet.read_table(folder / "set.parquet").to_pylist()
    assert [(row["temp"], row["weather__event_time"] is None) for row in rows] == [
        (13.5, False),
        (None, True),
    ]

    landing.open()
    service = load_definitions(definitions).service("delays")
    events = events_of(
        landing.client,
        folder / "then",
        service=service,
        change=lambda features: {**features, "temp": features["temp"] * 10},
    )
    log_events(landing.log, events, "served")
    landing.land()
    write_incidents(landing.client, [incident("served", "temp")])
    landing.close()
    found = run_json(world, "triage", "incident-served")
    assert (found["blame"], found["features"][0]["feature"]) == ("serving", "temp")
    assert "10 times the stored value" in found["why"]
    text = run(world, "triage", "incident-served")
    assert text.startswith("serving: temp: 160 of 160 values are 10 times the stored value")
    of_day = ("--model", "served", "--since", "2026-02-01")
    assert run_json(world, "triage", *of_day, "--version", "3")["blame"] == "serving"
    consistent = run_json(world, "features", "consistency", *of_day)
    assert {each["feature"]: each["share"] for each in consistent["features"]} == {
        "temp": 1.0,
        "wind": 0.0,
        "sky": 0.0,
    }
    assert "160 of 160 predictions compared; 0 do not say" in run(world, "features", "consistency", *of_day)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("features", "materialize", "nobody"), "no feature view 'nobody' is registered"),
        (("features", "show", "nobody"), "no feature view or service 'nobody' is registered"),
        (("features", "register", "/nowhere/defined.py"), "No such file"),
        (("features", "materialize", "--online", "mongodb://x"), "there are sqlite:///PATH"),
        (("triage", "nobody"), "there is no incident 'nobody'"),
    ],
)
def test_what_is_not_there_is_reported(world, arguments, message):
    folder, _, landing = world
    env = {"DRIFTLINE_STORE": landing.place.store_url, "DRIFTLINE_ONLINE": f"sqlite://{folder}/online.db"}
    done = CliRunner().invoke(driftline, arguments, env=env)
    assert done.exit_code == 1
    assert message in done.output


@pytest.mark.parametrize("url", ["redis://:secret@host:6379/0", "redis://host:6379/0?password=secret"])
def test_a_password_in_a_flag_is_refused(url):
    done = CliRunner().invoke(driftline, ["features", "materialize", "--online", url])
    assert done.exit_code == 2
    assert "Give the URL in DRIFTLINE_ONLINE" in " ".join(done.output.split())


def test_a_triage_is_of_an_incident_or_of_a_model():
    assert CliRunner().invoke(driftline, ["triage"]).exit_code == 2
    assert CliRunner().invoke(driftline, ["triage", "one", "--model", "m"]).exit_code == 2
