"""What the web pages make of stored incidents and of their acknowledgements."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from starlette.testclient import TestClient

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_time
from driftline.embedded import open_store
from driftline.metrics import Metrics
from driftline.store import ready_connection
from driftline.store.incidents import write_acknowledgement, write_incidents
from driftline.web import create_app
from tests.web.browser import text_of
from tests.web.conftest import END, SINCE, judge_hours, page, stored, stored_incident, write_given

MODELS = {
    "unacknowledged": "open",
    "acknowledged": "open",
    "accepted": "accepted",
    "patient": "open",
    "hasty": "ended",
}
NULLS, STUCK = Channel(ChannelKind.NULLS), Channel(ChannelKind.STUCK)
LAST_PAGED = {"patient": END - 30, "hasty": END - 20}
QUIET_HOURS = {"patient": 48, "hasty": 12}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_store(f"chdb://{tmp_path_factory.mktemp('incidents')}/store") as store:
        with closing(ready_connection(store)) as client:
            for model, state in MODELS.items():
                last = LAST_PAGED.get(model, END)
                moved = [
                    page(feature, last, since, model_name=model, channel=channel)
                    for feature, since, channel in (("temp", SINCE, NULLS), ("wind", SINCE + 1, STUCK))
                ]
                write_given(client, [*moved, stored("calm", END, model_name=model)])
                if state == "accepted":
                    learning = [
                        stored(name, END + 1, "learning", model_name=model) for name in ("temp", "wind")
                    ]
                    write_given(client, learning)
                judge_hours(client, model)
                accepted_at = END if state == "accepted" else None
                changes = {"state": state, "accepted_at": accepted_at}
                changes["quiet_hours"] = QUIET_HOURS.get(model, 24)
                write_incidents(client, [stored_incident(f"{model}-incident", moved, **changes)])
            write_acknowledgement(
                client, "acknowledged-incident", name="real", given_by="Ada", note="", given_at=hour_time(END)
            )
        yield TestClient(create_app(store, Metrics(), clock=time.time))


def shown(browser, model):
    answer = browser.get(f"/models/{model}")
    assert answer.status_code == 200
    return text_of(answer.text)


def test_an_incident_is_shown_at_once_with_how_to_acknowledge_it(browser):
    text = shown(browser, "unacknowledged")
    assert "temp and wind drifted since 19 Jul 2013, 10:00 UTC" in text
    assert "What was it? driftline ack unacknowledged-incident --real, --noise or --accept" in text


def test_an_acknowledgement_is_shown(browser):
    text = shown(browser, "acknowledged")
    assert "Confirmed: a fault, incident acknowledged-incident" in text
    assert "What was it?" not in text


def test_what_is_the_new_normal_is_no_longer_shown_as_drift(browser):
    text = shown(browser, "accepted")
    assert "drifted since" not in text
    assert "learning" in text


def test_an_incident_lasts_as_long_as_its_own_monitor_says(browser):
    assert "temp and wind drifted since" in shown(browser, "patient")
    assert "drifted since" not in shown(browser, "hasty")
