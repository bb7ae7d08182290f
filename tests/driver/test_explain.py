"""Through a real store: whatever moved, the part of the traffic that it moved in is named, or why none is."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_time
from driftline.domain.incidents import Finding, Incident
from driftline.domain.names import JOINT, VOLUME
from driftline.domain.parts import part_text
from driftline.domain.streams import Stream
from driftline.driver.explain import explain_incident
from driftline.store.incidents import write_incidents
from driftline.store.parts import MOST_ROWS
from tests.support.landing import Landing
from tests.support.running import Place

SINCE, HOURS, ROWS = 490_000, 4, 2000
STREAM = Stream("shop", "2", "production")
COLUMNS = (
    "event_id event_time model_name model_version training_run_id session_id sequence environment "
    "numeric_features categorical_features missing_features tags prediction_number prediction_label"
).split()
FINDING = Finding(
    segment="",
    feature="amount",
    kind="numeric",
    reference="production",
    channel=Channel(ChannelKind.NULLS),
    effect=0.1,
    expected=0.0,
    observed=0.1,
    z=9.0,
    scale_hours=HOURS,
    since=SINCE,
    detected=SINCE + HOURS,
    last=SINCE + HOURS,
    episode_ids=("e1",),
)


def incident(*changes, model="shop"):
    stream = STREAM._replace(model_name=model)
    findings = tuple(replace(FINDING, **each) for each in changes)
    return Incident(
        stream=stream, incident_id=f"i-{model}", detected=SINCE + HOURS, state="open", findings=findings
    )


def event(rng, number, hour, *, is_window, version="2"):
    """Return a row; in the window each feature is hit in a part of its own."""
    country = rng.choice(["SE", "SE", "SE", "DE", "DE", "DE", "DE", "DE", "NO", "NO"])
    device, tier = rng.choice(["web", "app"]), rng.choice(["free", "paid", "gold"])
    norway, app = is_window and country == "NO", is_window and device == "app"
    numbers = {
        "amount": None if norway and rng.random() < 0.5 else rng.uniform(1, 100),
        "age": rng.gauss(60 if is_window and tier == "paid" and device == "app" else 40, 10),
        "temp": 900.0 if app and rng.random() < 0.3 else rng.uniform(0, 30),
        "score": float("nan") if norway else rng.random(),
        "ratio": float("inf") if app else rng.random(),
        "speed": 7.0 if norway else rng.uniform(0, 100),
        "distance": rng.uniform(10, 500) * (1.6 if app else 1.0),
        "everywhere": None if is_window and rng.random() < 0.2 else 1.0,
        "code": rng.random(),
    }
    texts = {
        "merchant": "m1" if norway else rng.choice(["m1", "m2", "m3"]),
        "sku": f"new{rng.randrange(9)}" if app and rng.random() < 0.5 else rng.choice(["a", "b"]),
        "tier": tier,
    }
    if norway:
        texts["code"] = str(numbers.pop("code"))
    held = {name: value for name, value in numbers.items() if value is not None}
    tags = {"country": country, "device": device, "user": f"u{rng.randrange(400)}"}
    label = "yes" if norway or rng.random() < 0.3 else "no"
    return [
        uuid.UUID(int=rng.getrandbits(128)),
        hour_time(hour) + timedelta(minutes=number % 60),
        "shop",
        version,
        "run",
        "session",
        number + 1,
        "production",
        held,
        texts,
        [name for name in numbers if name not in held],
        tags,
        rng.random(),
        label,
    ]


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """A model whose version is two weeks old, and one that is new."""
    rng = random.Random(7)
    rows = [event(rng, n, SINCE + n % HOURS, is_window=True) for n in range(ROWS)]
    rows += [event(rng, n, SINCE - 168 * (1 + n % 2) + n % HOURS, is_window=False) for n in range(2 * ROWS)]
    # Another time of the day, and another version, would show another past.
    rows += [event(rng, n, SINCE - 12, is_window=True) for n in range(ROWS // 2)]
    rows += [event(rng, n, SINCE - 168, is_window=True, version="1") for n in range(ROWS // 2)]
    young = [[*row[:2], "young", *row[3:]] for row in rows[:ROWS]]
    young += [
        [uuid.UUID(int=rng.getrandbits(128)), row[1], "young", "1", *row[4:]] for row in rows[ROWS : 2 * ROWS]
    ]
    landing = Landing(Place(tmp_path_factory.mktemp("driver")))
    landing.client.insert("prediction_inbox", rows + young, column_names=COLUMNS)
    write_incidents(landing.client, [incident({})])
    yield landing
    landing.close()


def explain(landing, *changes, **options):
    return explain_incident(landing.client, incident(*changes, **options))


@pytest.mark.parametrize(
    ("feature", "kind", "channel", "part"),
    [
        ("amount", "numeric", Channel(ChannelKind.NULLS), "country=NO"),
        ("age", "numeric", Channel(ChannelKind.AT_MOST, 50.0), "device=app and tier=paid"),
        ("temp", "numeric", Channel(ChannelKind.OUT_OF_RANGE), "device=app"),
        ("score", "numeric", Channel(ChannelKind.NANS), "country=NO"),
        ("ratio", "numeric", Channel(ChannelKind.INFINITIES), "device=app"),
        ("speed", "numeric", Channel(ChannelKind.STUCK), "country=NO"),
        ("distance", "numeric", Channel(ChannelKind.UNIT_CHANGED, "times 1.6"), "device=app"),
        ("merchant", "categorical", Channel(ChannelKind.VALUE, "m1"), "country=NO"),
        ("sku", "categorical", Channel(ChannelKind.NEVER_SEEN), "device=app"),
        ("sku", "categorical", Channel(ChannelKind.OTHER_VALUES), "device=app"),
        ("code", "numeric", Channel(ChannelKind.TYPE_CHANGED, "categorical"), "country=NO"),
        ("prediction.label", "categorical", Channel(ChannelKind.VALUE, "yes"), "country=NO"),
        ("speed", "numeric", None, "country=NO"),
    ],
)
def test_the_part_that_was_hit_is_named_whatever_moved(landing, feature, kind, channel, part):
    found = explain(landing, {"feature": feature, "kind": kind, "channel": channel})
    assert (found.driver.found, part_text(found.driver.part)) == ("part", part)
    assert found.driver.carried > 0.8
    assert found.sentence.endswith("%")


def test_only_the_same_hours_of_the_same_version_are_compared(landing):
    found = explain(landing, {})
    assert (found.rows, found.rows_before) == (ROWS, 2 * ROWS)


def test_where_the_whole_moved_alike_that_is_reported(landing):
    found = explain(landing, {"feature": "everywhere"})
    assert found.driver.found == "alike"
    assert "no part of the traffic carries it" in found.sentence
    assert found.lines == ()


def test_a_tag_of_many_values_is_left_out_and_named(landing):
    assert "not searched, since more than 50 values: code, user" in explain(landing, {}).notes


def test_of_many_rows_a_sample_is_counted_which_is_reported(landing):
    found = explain_incident(landing.client, incident({}), limit=1000)
    assert found.driver.whole.rows == pytest.approx(1000, rel=0.15)
    assert part_text(found.driver.part) == "country=NO"
    assert f"of {ROWS:,} rows" in " ".join(found.notes)


def test_within_a_segment_its_rows_alone_are_divided(landing):
    found = explain(landing, {"segment": "device=app"})
    assert part_text(found.driver.part) == "country=NO"
    assert found.rows == pytest.approx(ROWS / 2, rel=0.1)


def test_a_young_version_is_compared_with_those_before_it(landing):
    found = explain(landing, {}, model="young")
    assert part_text(found.driver.part) == "country=NO"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"feature": VOLUME, "channel": Channel(ChannelKind.VOLUME)}, "about the number of predictions"),
        ({"feature": JOINT, "channel": Channel(ChannelKind.TOGETHER)}, "about features together"),
        ({"kind": "categorical", "channel": None}, "does not say which values moved"),
        ({"since": SINCE - 5000, "last": SINCE - 4990}, "no prediction of its hours is kept"),
        ({"reference": "training"}, "no prediction is kept of the hours"),
        ({"feature": "nothing", "channel": Channel(ChannelKind.AT_MOST, 1.0)}, "0 rows of the window"),
        ({"feature": "merchant", "channel": Channel(ChannelKind.STUCK)}, "0 rows of the window"),
    ],
)
def test_where_rows_do_not_say_it_the_reason_is_given(landing, changes, why):
    found = explain(landing, changes)
    assert (found.driver.found, found.driver.part) == ("unclear", ())
    assert why in found.sentence


def test_an_incident_of_predictions_lacking_is_explained_by_what_else_moved(landing):
    volume = {"feature": VOLUME, "channel": Channel(ChannelKind.VOLUME)}
    assert part_text(explain(landing, volume, {}).driver.part) == "country=NO"


def test_the_command_reports_it_as_text_and_in_json(landing):
    def run(*arguments):
        done = CliRunner().invoke(driftline, arguments, env={"DRIFTLINE_STORE": landing.place.store_url})
        return done.exit_code, done.output

    status, text = run("explain", "i-sh")
    assert status == 0
    assert "of it is in country=NO: from 0.0% to" in text
    status, text = run("explain", "i-sh", "--json")
    found = json.loads(text)
    assert (status, found["found"], found["part"]) == (0, "part", [{"key": "country", "values": ["NO"]}])
    assert found["whole"]["rows"] == ROWS < MOST_ROWS
    status, text = run("explain", "zz")
    assert status != 0
    assert "there is no incident 'zz'" in text
