"""Every place shows an incident alike: by its state, and by its acknowledgements."""

from __future__ import annotations

import json
import logging
import re
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from driftline.cli.app import driftline
from driftline.domain.hours import hour_time
from driftline.domain.incidents import STATES
from driftline.domain.streams import Stream
from driftline.drift.service.export import export_verdicts
from driftline.drift.service.metrics import INCIDENTS, VERDICT, WORKER_METRICS
from driftline.drift.service.stored import StoredExport
from driftline.embedded import open_store
from driftline.failing import Failing
from driftline.metrics import Metrics
from driftline.store import migrate
from driftline.store.incidents import read_incidents, write_acknowledgement, write_incidents
from driftline.store.verdicts import JudgedHour, read_windows, write_judged_hours
from driftline.web import WebServer, create_app
from driftline.web.formatting import INCIDENT_STATES
from tests.support.sampling import sampled
from tests.web.browser import Browser, text_of
from tests.web.conftest import (
    END,
    SINCE,
    WALL_CLOCK,
    judge_hours,
    metrics_with_one_counter,
    stored_incident,
    write_given,
)
from tests.web.conftest import page as page_verdict
from tests.web.conftest import stored as verdict_of


@dataclass(frozen=True)
class Case:
    """An incident: how the drift worker wrote it, its acknowledgements, and what it is then.

    Args:
        state: as it is to be shown.
        changes: of the incident as it was written.
        acknowledged: in this order; the worker has not read it.
        last: when its last window ended.
        serves_on: whether its version was judged up to the end, where another one was.
    """

    state: str
    changes: dict[str, object] = field(default_factory=dict)
    acknowledged: tuple[str, ...] = ()
    last: int = END
    serves_on: bool = True


ACCEPTED = {"state": "accepted", "accepted_at": END}
CASES = {
    "open": Case("open"),
    "confirmed": Case("open", acknowledged=("real",)),
    "false": Case("dismissed", acknowledged=("noise",)),
    "false, known": Case("dismissed", {"state": "dismissed", "acknowledged": "noise"}, ("noise",)),
    "false, of another id": Case("dismissed", {"state": "dismissed", "acknowledged": "noise"}),
    "accepted": Case("accepted", acknowledged=("accept",)),
    "accepted, known": Case("accepted", {**ACCEPTED, "acknowledged": "accept"}, ("accept",)),
    "accepted by age": Case("accepted", ACCEPTED),
    "false, then confirmed": Case("open", {"state": "dismissed", "acknowledged": "noise"}, ("noise", "real")),
    "confirmed, then false": Case("dismissed", {"acknowledged": "real"}, ("real", "noise")),
    "accepted, then false": Case("accepted", {**ACCEPTED, "acknowledged": "accept"}, ("accept", "noise")),
    "ended": Case("ended", {"state": "ended"}, last=END - 26),
    "ended, false": Case("ended", {"state": "ended"}, ("noise",), last=END - 26),
    "ended, confirmed": Case("ended", {"state": "ended"}, ("real",), last=END - 26),
    "ended, accepted": Case("accepted", {"state": "ended"}, ("accept",), last=END - 26),
    "reopened": Case("open", {"revision": 3}),
    "serves no more": Case("ended", last=END - 30, serves_on=False),
    "serves no more, false": Case("ended", acknowledged=("noise",), last=END - 30, serves_on=False),
}
NAMES = list(CASES)


def incident_id(name: str) -> str:
    """Return the id of a case's incident."""
    return f"{NAMES.index(name):02}{'a' * 10}"


@dataclass(frozen=True)
class Site(Browser):
    store_url: str = ""


def _fill(client) -> None:
    migrate(client)
    for name, case in CASES.items():
        until = END if case.serves_on else case.last
        verdicts = [
            page_verdict("temp", end, SINCE, model_name=name)
            if SINCE < end <= case.last
            else verdict_of("temp", end, model_name=name)
            for end in range(SINCE - 4, until + 1)
        ]
        write_given(client, verdicts)
        hours = [JudgedHour(hour, 10, 0.0) for hour in range(until - 200, until)]
        write_judged_hours(client, Stream(name, "3", "production"), hours)
        if not case.serves_on:
            judge_hours(client, name, END - 200, version="4")
            write_given(client, [verdict_of("temp", END, model_name=name, model_version="4")])
        written = stored_incident(
            incident_id(name), [page_verdict("temp", SINCE + 1, SINCE, model_name=name)]
        )
        found = tuple(replace(each, last=case.last) for each in written.findings)
        given = {"findings": found, **case.changes}
        write_incidents(client, [replace(written, **given)])
        for place, acknowledgement in enumerate(case.acknowledged):
            at = hour_time(END) + timedelta(minutes=place)
            write_acknowledgement(
                client, incident_id(name), name=acknowledgement, given_by="Ada", note="", given_at=at
            )


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Return a browser on a store with a model for each case."""
    url = f"chdb://{tmp_path_factory.mktemp('states')}/store"
    with open_store(url) as store:
        with closing(store.connect()) as client:
            _fill(client)
        app = create_app(store, metrics_with_one_counter(), clock=lambda: WALL_CLOCK)
        server = WebServer(app, "127.0.0.1", 0)
        server.start()
        yield Site(server.url, store=store, store_url=url)
        server.stop()


def none_fails():
    return Failing(
        "exporting", logger=logging.getLogger(__name__), monotonic=lambda: 0.0, is_general=lambda _: True
    )


@pytest.fixture(scope="module")
def exported(shown):
    """Return what a drift worker exports that has judged all of it, and nothing since it was acknowledged."""
    metrics = Metrics(WORKER_METRICS)
    served = [Stream(name, "3" if case.serves_on else "4", "production") for name, case in CASES.items()]
    with closing(shown.store.connect()) as client:
        stored = StoredExport(metrics, none_fails())
        newest = dict.fromkeys(CASES, END - 1)
        stored.refresh(client, served, newest, now_s=0.0, has_judged=True)
        latest = {stream: read_windows(client, stream, first_end=END, last_end=END) for stream in served}
    export_verdicts(metrics, latest, stored.incidents)
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(metrics.expose().decode()):
        for sample in family.samples:
            if sample.value:
                found.setdefault(sample.name, []).append(sample.labels)
    return found


@pytest.fixture(scope="module")
def first_page(shown):
    return shown.get("/")


def is_open(name: str) -> bool:
    return CASES[name].state == "open"


@pytest.mark.parametrize("name", NAMES)
def test_the_store_says_what_it_is(shown, name):
    with closing(shown.store.connect()) as client:
        (found,) = read_incidents(client, incident_id=incident_id(name))
        assert found.state == CASES[name].state
        assert [
            each.incident_id for each in read_incidents(client, model_name=name, states=[found.state])
        ] == [incident_id(name)]


@pytest.mark.parametrize("name", sampled(NAMES, 2))
def test_its_own_page_says_so_and_goes_on_only_while_it_is_open(shown, name):
    text = text_of(shown.get(f"/incidents/{incident_id(name)}"))
    assert INCIDENT_STATES[CASES[name].state] in text
    assert ("until now" in text) is is_open(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_page_calls_its_model_drifted_only_while_it_is_open(first_page, name):
    rows = [text_of(row) for row in re.findall(r"<tr>.*?</tr>", first_page, flags=re.DOTALL)]
    (row,) = [row for row in rows if re.match(rf"{re.escape(name)} version", row)]
    assert ("drifted 1 incident" in row) is is_open(name)
    assert ("drifted" in row) is is_open(name)
    assert "Not judged" not in row


def test_the_first_page_counts_those_that_are_open(first_page):
    text = text_of(first_page)
    count = sum(is_open(name) for name in NAMES)
    assert f"{count} of {len(NAMES)} models have drifted" in text


@pytest.mark.parametrize("name", sampled(NAMES, 2))
def test_the_page_of_its_model_says_so(shown, name):
    text = text_of(shown.get("/models/" + name.replace(" ", "%20")))
    head = text.partition("Features over time")[0]
    assert ("temp drifted since" in head) is is_open(name)
    assert ("drifted" in head) is is_open(name)
    assert "Not judged now" not in text
    grid = text.partition("Features over time")[2].partition("Verdicts")[0].partition("drifted surely")[0]
    assert ("▲ drifted" in grid) is is_open(name)
    assert ("still, after" in text) is is_open(name)
    if CASES[name].state in {"dismissed", "accepted"} and CASES[name].last == END:
        assert f"{incident_id(name)}" in head


@pytest.mark.parametrize("name", sampled(NAMES, 2))
def test_the_page_of_its_feature_says_so(shown, name):
    text = text_of(shown.get(f"/models/{name.replace(' ', '%20')}/features/temp"))
    head = text.partition("Distribution, now and before")[0]
    assert ("drifted" in head) is is_open(name)
    assert ("still going on" in text) is is_open(name)


def test_the_command_line_says_so_and_lists_it_by_that(shown):
    def ask(*arguments: str) -> list[dict[str, str]]:
        done = CliRunner().invoke(driftline, ["incidents", *arguments, "--json", "--store", shown.store_url])
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    assert {each["model_name"]: each["state"] for each in ask()} == {
        name: case.state for name, case in CASES.items()
    }
    for state in STATES:
        listed = {each["model_name"] for each in ask("--state", state)}
        assert listed == {name for name, case in CASES.items() if case.state == state}


def test_the_command_that_says_it_answers_with_what_the_incident_is_then(shown):
    arguments = [
        "ack",
        incident_id("confirmed"),
        "--real",
        "--by",
        "Bo",
        "--json",
        "--store",
        shown.store_url,
    ]
    answer = json.loads(CliRunner().invoke(driftline, arguments).output)
    assert (answer["state"], answer["acknowledged"]) == ("open", "real")


@pytest.mark.parametrize("name", NAMES)
def test_the_metric_that_alerts_tells_of_it_only_while_it_is_open(exported, name):
    assert any(each["incident_id"] == incident_id(name) for each in exported.get(INCIDENTS, ())) is is_open(
        name
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_metric_of_verdicts_pages_only_while_it_is_open(exported, name):
    (verdict,) = [each["verdict"] for each in exported[VERDICT] if each["model_name"] == name]
    assert verdict == ("page" if is_open(name) else "ok")
