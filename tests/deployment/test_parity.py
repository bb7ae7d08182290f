"""The whole composition without containers: a fault in the traffic ends as one page, and its end as another.

Hours of traffic pass in no time, since each patient says when he was seen; nothing waits for the clock.
"""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.deployment.composition import ROOT
from tests.deployment.deployed import SERVICES, Deployed, status_of
from tests.support.running import wait_until
from tests.support.webhook import Webhook

HOUR_S = 3600
FAULT, FEATURE = "blood_pressure_in_kpa", "blood_pressure"
FAULT_HOUR = 8 * 24 + 10
"""By day, when an hour has patients enough to be judged by itself; after a week that is the reference."""
MENDED_HOUR = FAULT_HOUR + 2
LAST_HOUR = MENDED_HOUR + 60
"""The longest window forgets after a day, and an incident ends after another one."""

MODEL, TRACE = "diabetes-progression", "4bf92f3577b34da6a3ce929d0e0e4736"
PATIENT = {
    "age": 48.0,
    "sex": "1",
    "bmi": 26.4,
    "blood_pressure": 94.6,
    "total_cholesterol": 189.0,
    "ldl": 115.0,
    "hdl": 49.0,
    "cholesterol_ratio": 4.1,
    "log_triglycerides": 4.6,
    "glucose": 91.0,
}


class Play:
    """What happened, act by act."""

    def __init__(self, deployed, webhook):
        self.deployed, self.webhook = deployed, webhook
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = today - timedelta(hours=LAST_HOUR // 24 * 24 + 24)

    def time_of(self, hour):
        return self.start + timedelta(hours=hour)

    def send(self, first_hour, end_hour):
        """Send some hours of traffic; return once they are judged, as far as they have closed."""
        hours = ("--start", self.start.isoformat(), "--skip", str(first_hour), "--hours", str(end_hour))
        fault = ("--fault", FAULT, "--fault-from", str(FAULT_HOUR), "--fault-until", str(MENDED_HOUR))
        self.deployed.run("traffic", *hours, *fault, "--state", "")

    def wait_until_judged(self, hour):
        wanted = self.time_of(hour).timestamp()
        self.wait(lambda: self.deployed.judged_until() >= wanted, f"verdicts up to hour {hour}")

    def wait(self, holds, what):
        try:
            wait_until(holds, timeout_s=90, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.deployed.logs()}") from None

    def called(self, status="firing"):
        """Return what the engineer was notified of until now."""
        return self.webhook.alerts(status, path="/page")


def ask_for_one(url, seen_at):
    """Have the service predict for one patient, amid a trace; return the event's id."""
    body = {"patients": [{**PATIENT, "clinic": "north", "seen_at": seen_at.isoformat()}]}
    headers = {"Content-Type": "application/json", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    request = urllib.request.Request(f"{url}/predict", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)[0]["event_id"]


@pytest.fixture(scope="module")
def play(tmp_path_factory, kafka, registry):
    with Webhook() as webhook:
        deployed = Deployed(
            tmp_path_factory.mktemp("deployed"), kafka=kafka, registry=registry, webhook=webhook
        )
        try:
            deployed.start_all()
            yield act(Play(deployed, webhook))
        finally:
            deployed.stop_all()


def act(play):
    """Let a week pass, break the traffic for two hours, mend it, and end everything in order."""
    deployed = play.deployed
    play.send(0, FAULT_HOUR)
    play.wait_until_judged(FAULT_HOUR - 1)
    play.before = play.called()
    play.event_id = ask_for_one(deployed.url("inference"), play.time_of(FAULT_HOUR - 0.5))
    play.send(FAULT_HOUR, MENDED_HOUR)
    begun_s = time.monotonic()
    play.wait(play.called, "a page")
    play.page_took_s = time.monotonic() - begun_s
    incidents = deployed.ask("incidents")
    assert len(incidents) == 1, (incidents, play.called())
    play.found = incidents[0]
    play.links = {url: status_of(url) for url in links_of(play.called()[0])}
    play.send(MENDED_HOUR, LAST_HOUR)
    play.wait(lambda: play.called("resolved"), "the page's end")
    play.ended = deployed.end("inference")
    play.wait(lambda: deployed.lag() == 0, "landing")
    play.firing, play.resolved = play.called(), play.called("resolved")
    play.completeness = deployed.ask("completeness")
    play.dead_letters = deployed.ask("dead-letters", "list")
    play.trace = deployed.ask("trace", play.event_id)
    play.ended |= deployed.end(*SERVICES)
    return play


def links_of(alert):
    return [text for text in alert["annotations"].values() if text.startswith("http://127.0.0.1")]


def test_a_fault_is_one_incident_and_nothing_paged_before_it(play, capsys):
    assert play.before == []
    reported = {alert["fingerprint"]: alert["labels"] for alert in play.firing}
    assert len(reported) == 1, reported
    late = datetime.fromisoformat(play.found["detected"]) - play.time_of(FAULT_HOUR + 1)
    assert late == timedelta(0)
    with capsys.disabled():
        sys.stdout.write(
            f"\nfrom the end of the first bad hour to the page: {late} by event time, and by the clock "
            f"{play.page_took_s:.1f} s once the hour had closed\n"
        )


def test_the_incident_names_model_feature_and_since_when(play):
    alert = play.firing[0]
    assert alert["labels"]["alertname"] == "DriftlineDataDrift"
    assert (alert["labels"]["model_name"], alert["labels"]["feature"]) == (MODEL, FEATURE)
    assert alert["labels"]["team"] == "examples"
    assert f"{play.time_of(FAULT_HOUR):%Y-%m-%d %H:00:00}" in alert["annotations"]["summary"]


def test_every_link_of_the_page_leads_somewhere(play):
    assert len(play.links) >= 3
    assert set(play.links.values()) == {200}, play.links


def test_its_dashboard_is_there_and_has_the_variables_that_the_link_sets(play):
    link = urlsplit(play.firing[0]["annotations"]["dashboard"])
    uid = link.path.removeprefix("/d/")
    boards = [json.loads(path.read_text()) for path in (ROOT / "dashboards/grafana").glob("*.json")]
    (board,) = (board for board in boards if board["uid"] == uid)
    variables = {f"var-{variable['name']}" for variable in board["templating"]["list"]}
    assert parse_qs(link.query).keys() <= variables


def test_the_end_of_the_fault_resolves_the_incident(play):
    (resolved,) = {alert["fingerprint"] for alert in play.resolved}
    assert resolved == play.firing[0]["fingerprint"]


def test_the_watcher_says_when_an_incident_opens_and_ends(play):
    incident_id = play.firing[0]["labels"]["incident_id"]
    lines = [line for line in play.deployed.output("watcher") if line.get("incident_id") == incident_id]
    assert [line["state"] for line in lines if line["level"] == "INFO"] == ["open", "ended"]
    assert all(line["model_name"] == MODEL for line in lines)


def test_everything_arrived_once_and_nothing_was_refused(play):
    production = [line for line in play.completeness if line["environment"] == "production"]
    assert [line["ratio"] for line in production] == [1.0]
    assert [line["missing"] + line["duplicates"] for line in play.completeness] == [0] * len(
        play.completeness
    )
    assert play.dead_letters == []


def test_an_answer_is_traced_to_its_request_and_to_its_training_run(play):
    assert play.trace["prediction"]["trace_id"] == TRACE
    assert re.fullmatch(r"diabetes-[0-9a-f]{12}", play.trace["training_run"]["training_run_id"])


def test_all_end_in_order_when_they_are_asked_to(play):
    status = {name: status for name, (status, _) in play.ended.items()}
    # uvicorn finishes, and then dies by the signal that it was sent.
    assert status.pop("inference") in {0, -15}
    assert status == dict.fromkeys(SERVICES, 0)
    assert max(took_s for _, took_s in play.ended.values()) < 20


@pytest.mark.parametrize("name", SERVICES)
def test_every_line_that_a_service_says_is_json_and_no_error(play, name):
    assert not [line for line in play.deployed.output(name) if line["level"] in {"ERROR", "CRITICAL"}]
