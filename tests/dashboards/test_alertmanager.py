"""Alertmanager takes the shipped configuration, in each of its forms, and calls whom it should."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.dashboards.rules import RUNBOOKS, read_alerts
from tests.support.alertmanager import SHIPPED, Alertmanager, amtool
from tests.support.running import wait_until
from tests.support.webhook import Webhook

FLIGHTS = {"team": "flights", "model_name": "flight-delay", "model_version": "3"}
OTHER = {"team": "flights", "model_name": "other", "model_version": "3"}
TEXT = SHIPPED.read_text()
EVERY_WAY = TEXT.replace("#| ", "")


def labels_of(name, severity="page", **labels):
    return {"alertname": name, "severity": severity, **labels}


DRIFT = labels_of("DriftlineDataDrift", **FLIGHTS, incident_id="7f3a", feature="dep_delay")
INCOMPLETE = labels_of("DriftlineIncompleteData", **FLIGHTS)
SLIGHTLY = labels_of("DriftlineIncompleteData", "ticket", **FLIGHTS)
STORE, LOG = labels_of("DriftlineStoreAway"), labels_of("DriftlineLogAway")
LATE = labels_of("DriftlineWorkerLate", **FLIGHTS)
LAG = labels_of("DriftlineLanderLag", topic="driftline.predictions")
BEHIND = labels_of("DriftlineProfilingLag", job="driftline-profiler", instance="profiler:8324")
LANDER = labels_of("DriftlineTargetDown", job="driftline-lander", service="lander")
PROFILER = labels_of("DriftlineTargetDown", job="driftline-profiler", service="profiler")
WATCHER = labels_of("DriftlineTargetDown", job="driftline-watcher", service="watcher")
UP = labels_of("DriftlineTargetDown", job="driftline-up", service="up")
MISSING = labels_of("DriftlineMetricsMissing", service="watcher")
NO_LANDER = labels_of("DriftlineMetricsMissing", service="lander")


def configured(folder, *, every_way):
    """Write one form of the configuration beside its templates."""
    (folder / "templates").symlink_to(SHIPPED.parent / "templates")
    file = folder / "alertmanager.yml"
    file.write_text(EVERY_WAY if every_way else TEXT)
    return file


@pytest.fixture
def manager(tmp_path):
    with Webhook() as webhook:
        started = Alertmanager(tmp_path / "alertmanager", webhook_url=webhook.url)
        started.webhook = webhook
        started.start()
        yield started
        started.stop()


@pytest.mark.parametrize("every_way", [False, True], ids=["as shipped", "with every way to be called"])
def test_amtool_finds_nothing_wrong(tmp_path, every_way):
    done = amtool("check-config", configured(tmp_path, every_way=every_way))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout


@pytest.mark.parametrize("kind", ["pagerduty_configs", "slack_configs", "email_configs", "webhook_configs"])
def test_each_way_to_be_called_is_there(kind):
    assert any(kind in receiver for receiver in yaml.safe_load(EVERY_WAY)["receivers"])


def test_secrets_stand_in_files():
    named = re.findall(r"^[ #|-]*(\w*(?:key|password|api_url|token)\w*):", TEXT, re.MULTILINE)
    assert named
    assert all(name.endswith("_file") for name in named)


@pytest.mark.parametrize(
    ("every_way", "labels", "receiver"),
    [
        (False, ("severity=page", "team=payments"), "page"),
        (False, ("severity=ticket", "team=flights"), "ticket"),
        (False, ("alertname=Other",), "ticket"),
        (True, ("severity=page", "team=payments"), "payments"),
        (True, ("severity=ticket", "team=payments"), "ticket"),
        (True, ("severity=page", "team=flights"), "page"),
    ],
)
def test_an_alert_goes_to_whom_it_concerns(tmp_path, every_way, labels, receiver):
    file = configured(tmp_path, every_way=every_way)
    asked = ("config", "routes", "test", f"--config.file={file}", f"--verify.receivers={receiver}")
    done = amtool(*asked, *labels)
    assert done.returncode == 0, done.stdout + done.stderr


def test_inhibitions_name_alerts_that_there_are():
    text = yaml.safe_dump(yaml.safe_load(TEXT)["inhibit_rules"])
    assert set(re.findall(r"Driftline\w+", text)) <= {alert.name for alert in read_alerts()}


def test_what_follows_from_something_else_calls_nobody(manager):
    everything = [DRIFT, INCOMPLETE, SLIGHTLY, STORE, LOG, LATE, LAG, BEHIND, LANDER, WATCHER, MISSING]
    everything += [NO_LANDER]
    other = {**DRIFT, **OTHER}
    manager.post([{"labels": labels} for labels in [*everything, other]])
    wait_until(lambda: len(held_back(manager)) >= 8, timeout_s=10.0, what="inhibition")
    assert {name for name, _ in held_back(manager)} == {
        "DriftlineDataDrift",
        "DriftlineIncompleteData",
        "DriftlineWorkerLate",
        "DriftlineLanderLag",
        "DriftlineProfilingLag",
        "DriftlineMetricsMissing",
    }
    causes = {"DriftlineStoreAway", "DriftlineLogAway", "DriftlineTargetDown"}
    wait_until(lambda: "other" in notified(manager), what="the page about the other model")
    wait_until(lambda: causes <= notified(manager).get("", set()), what="the pages about the causes")
    assert notified(manager) == {"other": {"DriftlineDataDrift"}, "": causes}


@pytest.mark.parametrize(
    ("cause", "effect"),
    [
        (INCOMPLETE, DRIFT),
        (INCOMPLETE, SLIGHTLY),
        (STORE, LATE),
        (STORE, LAG),
        (STORE, BEHIND),
        (BEHIND, LATE),
        (STORE, INCOMPLETE),
        (LOG, LAG),
        (LOG, INCOMPLETE),
        (LANDER, LAG),
        (LANDER, INCOMPLETE),
        (PROFILER, BEHIND),
        (PROFILER, LATE),
        (WATCHER, LATE),
        (WATCHER, MISSING),
        (LANDER, NO_LANDER),
        (UP, NO_LANDER),
        (UP, LAG),
        (UP, BEHIND),
        (UP, LATE),
    ],
    ids=lambda labels: labels["alertname"].removeprefix("Driftline"),
)
def test_a_cause_holds_back_its_effect_and_nothing_else(manager, cause, effect):
    bystanders = [{**DRIFT, **OTHER}, labels_of("DriftlineDeadLetters", "ticket", stage="driftline.outcomes")]
    manager.post([{"labels": labels} for labels in (cause, effect, *bystanders)])
    wait_until(lambda: held_back(manager), timeout_s=10.0, what="inhibition")
    assert held_back(manager) == [(effect["alertname"], effect["severity"])]


def test_little_that_is_missing_and_a_lander_elsewhere_hold_nothing_back(manager):
    manager.post([{"labels": labels} for labels in (SLIGHTLY, DRIFT, WATCHER, LAG, NO_LANDER)])
    wait_until(lambda: {"flight-delay", ""} <= notified(manager).keys(), what="all pages")
    assert held_back(manager) == []


def test_one_cause_is_one_notification_of_a_model_and_its_end_is_reported(manager):
    names = ["dep_delay", "arr_delay", "distance"]
    alerts = [{"labels": {**DRIFT, "feature": name}, "annotations": {"summary": name}} for name in names]
    manager.post(alerts)
    wait_until(lambda: len(manager.webhook.posts) > 0, what="a page")
    (post,) = manager.webhook.posts
    assert post.path == "/page"
    assert len(post.body["alerts"]) == len(names)
    over = [
        {**alert, "endsAt": "2026-01-01T00:00:00Z", "startsAt": "2025-01-01T00:00:00Z"} for alert in alerts
    ]
    manager.post(over)
    wait_until(lambda: len(manager.webhook.alerts("resolved")) == len(names), what="its end")


@pytest.mark.parametrize("file", sorted(RUNBOOKS.glob("*.md")), ids=lambda file: file.stem)
def test_the_silence_of_a_runbook_is_one(manager, file):
    (asked,) = re.findall(r"amtool (silence add .*?)```", file.read_text(), re.DOTALL)
    text = asked.replace("\\\n", " ").replace("http://localhost:9093", manager.url)
    done = amtool(*(part.strip('"') for part in re.findall(r'"[^"]*"|[^\s"]+(?:"[^"]*")?', text)))
    assert done.returncode == 0, done.stderr
    assert (
        f'alertname="{file.stem}"' in amtool("silence", "query", f"--alertmanager.url={manager.url}").stdout
    )


def test_a_message_says_what_is_wrong_since_when_and_where_to_look(tmp_path):
    """Slack's, to a Slack of our own: its address stands in a file."""
    annotations = {
        "summary": "The data of flight-delay 3 has changed.",
        "description": "dep_delay is what moved most.",
        "pages": "http://driftline/incidents/7f3a",
        "dashboard": "http://grafana/d/driftline-feature",
        "trace": "http://driftline/models/flight-delay/predictions",
        "runbook_url": "http://driftline/runbooks/DriftlineDataDrift",
    }
    with Webhook() as webhook:
        secret = tmp_path / "slack-url"
        secret.write_text(f"{webhook.url}/slack")
        text = EVERY_WAY.replace("/etc/alertmanager/secrets/slack-page-url", str(secret))
        manager = Alertmanager(tmp_path / "alertmanager", webhook_url=webhook.url, text=text)
        manager.start()
        manager.post([{"labels": DRIFT, "annotations": annotations, "startsAt": "2026-01-31T04:05:06Z"}])
        wait_until(lambda: any(post.path == "/slack" for post in webhook.posts), what="a message")
        manager.stop()
        (message,) = [post.body["attachments"][0] for post in webhook.posts if post.path == "/slack"]
    assert message["title"] == "page: The data of flight-delay 3 has changed."
    assert message["title_link"] == "http://driftline/incidents/7f3a"
    assert message["text"].rstrip().splitlines() == [
        "DriftlineDataDrift (team flights), firing since 2026-01-31 04:05 UTC",
        *(annotations[name] for name in ("summary", "description")),
        "Look: http://driftline/incidents/7f3a",
        "Dashboard: http://grafana/d/driftline-feature",
        "Predictions: http://driftline/models/flight-delay/predictions",
        "What to do: http://driftline/runbooks/DriftlineDataDrift",
    ]


def held_back(manager):
    """Alerts that another one inhibits, by name and severity."""
    return sorted(
        (alert["labels"]["alertname"], alert["labels"]["severity"])
        for alert in manager.alerts()
        if alert["status"]["inhibitedBy"]
    )


def notified(manager):
    """Names of the alerts that somebody was called about, by model."""
    names = {}
    for alert in manager.webhook.alerts():
        names.setdefault(alert["labels"].get("model_name", ""), set()).add(alert["labels"]["alertname"])
    return names
