"""From flights as they were served to `driftline triage` and the incident's page: the right one is blamed."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.domain.hours import hour_of
from driftline.metrics import Metrics
from driftline.store.incidents import write_incidents
from driftline.web import WEB_METRICS, WebServer, create_app
from tests.features.flights import BROKE, END, WAYS, serve, store_features
from tests.features.world import incident, log_events
from tests.support.landing import Landing
from tests.support.running import Place
from tests.web.browser import Browser

MOVED = {
    "upstream": ("temp", 0.6),
    "stale": ("temp", 0.4),
    "unit": ("temp", 0.8),
    "other-airport": ("temp", 0.3),
    "other-plane": ("seats", 0.5),
    "other-version": ("prediction.number", 0.4),
    "silent": ("temp", 0.8),
}
BLAMED = {
    "upstream": ("upstream", r"temp: the model got what was stored, so what was stored moved: .* it was 6\d"),
    "stale": ("serving", r"temp: \d+ of \d+ values are older ones, .* late in the middle"),
    "unit": ("serving", r"temp: .*\d+ of \d+ values are 0\.555556 .* \(Fahrenheit to Celsius\)"),
    "other-airport": ("serving", r"temp: .*\d+ of \d+ values are those of another entity"),
    "other-plane": ("serving", r"seats: .*\d+ of \d+ values are those of another entity"),
    "other-version": ("model", r"the answers moved, and the features are what was stored"),
    "silent": ("unknown", r"only \d+ of \d+ predictions|no prediction says where its features came from"),
}


def incident_of(way):
    feature, effect = MOVED[way]
    made = incident(way, feature, effect=effect)
    hours = {"since": hour_of(BROKE), "detected": hour_of(BROKE) + 1, "last": hour_of(END)}
    findings = tuple(replace(each, **hours) for each in made.findings)
    return replace(made, detected=hours["detected"], findings=findings)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One model for each way to serve the same flights, with an incident of what moved."""
    landing = Landing(Place(tmp_path_factory.mktemp("flights")))
    store_features(landing.client)
    for way, events in serve(landing.client, tmp_path_factory.mktemp("online")).items():
        log_events(landing.log, events, way)
    landing.land()
    write_incidents(landing.client, [incident_of(way) for way in WAYS])
    yield landing
    landing.close()


@pytest.fixture(scope="module")
def site(world):
    app = create_app(world.store, Metrics(WEB_METRICS), clock=END.timestamp)
    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    yield Browser(server.url)
    server.stop()


@pytest.mark.parametrize("way", WAYS)
def test_the_right_one_is_blamed_for_what_was_served(world, way):
    blame, why = BLAMED[way]
    env = {"DRIFTLINE_STORE": world.place.store_url}
    done = CliRunner().invoke(driftline, ["triage", f"incident-{way}", "--json"], env=env)
    found = json.loads(done.output)
    assert (found["blame"], bool(re.search(why, found["why"]))) == (blame, True), found["why"]


def test_the_incidents_page_says_the_same(site):
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", site.get("/incidents/incident-other-airport")))
    assert re.search(r"Who is to blame\? Serving.*Temp: .*values are those of another entity", page)
