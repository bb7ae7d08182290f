"""A store with models in every state, as the drift worker would leave them."""

from __future__ import annotations

import shutil
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_time
from driftline.domain.incidents import Finding, Incident
from driftline.domain.streams import Stream
from driftline.domain.verdicts import Verdict, VerdictName
from driftline.embedded import open_store
from driftline.features import Entity, FeatureService, FeatureView
from driftline.features.history import push
from driftline.features.online import Provenance
from driftline.features.online.provenance import ViewRead
from driftline.features.registering import register
from driftline.metrics import Metric, Metrics
from driftline.store import migrate
from driftline.store.incidents import write_incidents
from driftline.store.rules import set_rules
from driftline.store.verdicts import JudgedHour, write_judged_hours, write_verdicts
from driftline.web import Acting, WebServer, create_app
from tests.support.traffic import derive
from tests.web.browser import Browser
from tests.web.compared import write_compared
from tests.web.history import write_decisions, write_training

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from driftline.store.connection import Connection

END = int(datetime(2013, 7, 21, 14, tzinfo=UTC).timestamp()) // 3600
"""When the newest window of every model ended."""

SINCE = END - 52
"""19 July 2013, 10:00 UTC: the drift that still goes on."""

WALL_CLOCK = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
KEY, TOKEN = b"seals forms in this test", "0123456789abcdef"
HOSTILE_MODEL = "<script>alert('model')</script>/a b?c#d%2F\N{LATIN SMALL LETTER U WITH DIAERESIS}"
HOSTILE_LINK = "%3Cscript%3Ealert%28%27model%27%29%3C%2Fscript%3E%2Fa%20b%3Fc%23d%252F%C3%BC"
HOSTILE_FEATURE = "\"><img src=x onerror=alert('feature')>"
HOSTILE_VALUE = "<b>bold</b>"


class Given(NamedTuple):
    """A verdict, and of which stream."""

    stream: Stream
    verdict: Verdict


def write_given(client: Connection, given: Iterable[Given]) -> None:
    """Write verdicts of any streams."""
    found: dict[Stream, list[Verdict]] = {}
    for one in given:
        found.setdefault(one.stream, []).append(one.verdict)
    for stream, verdicts in found.items():
        write_verdicts(client, stream, verdicts)


def stored(
    feature: str,
    end: int,
    verdict: str = "ok",
    *,
    model_name: str = "flight-delay",
    model_version: str = "3",
    **changes: Any,
) -> Given:
    """Return a verdict of the model that drifts; what is not named is as of an ordinary window."""
    evidence = dict.fromkeys(
        ("z", "critical", "overdispersion", "freedom", "effect_low", "effect_high", "detectable_effect"), 1.0
    )
    scale = changes.get("scale_hours", 24)
    values = {
        "feature": feature,
        "kind": "numeric",
        "reference": "production",
        "scale_hours": scale,
        "window_start": end - scale,
        "window_end": end,
        "verdict": VerdictName(verdict),
        "channel": Channel(ChannelKind.NULLS),
        "effect": 0.001,
        "expected": 0.01,
        "observed": 0.011,
        "sample_size": 4000,
        "reference_size": 16000,
        "completeness": 1.0,
        "statistics": {"psi": 0.3125, "ks": 0.25},
        "episode_id": None,
        "episode_start": None,
        "rank": 1,
        "listed": False,
        "reason": f"reason of {feature}",
    }
    stream = Stream(model_name, model_version, "production")
    return Given(stream, Verdict(**{**evidence, **values, **changes}))


def page(feature: str, end: int, since: int, **changes: Any) -> Given:
    """Return a page verdict of an episode."""
    episode = {"episode_id": f"{feature}-{since}", "episode_start": since}
    moved = {"effect": 0.3, "expected": 0.01, "observed": 0.31}
    return stored(feature, end, "page", **{**episode, **moved, **changes})


def of_incident(verdict: Verdict, last: int = END) -> Finding:
    """Return the finding that an incident holds of a verdict."""
    return Finding(
        segment=verdict.segment,
        feature=verdict.feature,
        kind=verdict.kind,
        reference=verdict.reference,
        channel=verdict.channel,
        effect=verdict.effect,
        expected=verdict.expected,
        observed=verdict.observed,
        z=verdict.z,
        scale_hours=verdict.scale_hours,
        since=verdict.episode_start,
        detected=verdict.window_end,
        last=last,
        episode_ids=(verdict.episode_id,),
        accepted_at=None,
    )


def stored_incident(incident_id: str, verdicts: list[Given], last: int = END, **changes: Any) -> Incident:
    """Return the incident that gathers some verdicts; it is open unless something else is given."""
    findings = [of_incident(one.verdict, last) for one in verdicts]
    values = {
        "stream": verdicts[0].stream,
        "incident_id": incident_id,
        "detected": min(finding.since for finding in findings) + 1,
        "state": "open",
        "findings": tuple(findings),
    }
    return Incident(**{**values, **changes})


def judge_hours(client: Connection, model: str, first: int = END - 40 * 24, *, version: str = "3") -> None:
    """Note that a model's hours were judged."""
    hours = [JudgedHour(hour, 10, 0.0) for hour in range(first, END)]
    write_judged_hours(client, Stream(model, version, "production"), hours)


def _incidents() -> Iterator[Incident]:
    temp = page("temp", END, SINCE, drivers={"origin=JFK": 0.92})
    yield stored_incident("a1b2c3d4e5f6", [temp])
    carrier = page(
        "carrier", END - 229, END - 240, kind="categorical", channel=Channel(ChannelKind.VALUE, "DAL")
    )
    past = {"state": "ended", "last": END - 229}
    yield stored_incident("0f0f0f0f0f0f", [carrier], **past)
    withdrawn = page("dewp", END - 2, END - 3)
    yield stored_incident("dddddddddddd", [withdrawn], state="withdrawn")


def _verdicts() -> Iterator[Given]:
    for end in range(END - 40 * 24, END + 1, 4):
        for feature in ("dewp", "carrier"):
            kind = "categorical" if feature == "carrier" else "numeric"
            if not (feature == "carrier" and END - 238 <= end < END - 228):
                yield stored(feature, end, kind=kind)
        driven = {"drivers": {"origin=JFK": 0.92}, "completeness": 0.998}
        yield page("temp", end, SINCE, **driven) if end > SINCE else stored("temp", end)
    for origin, verdict in (("LGA", stored), ("JFK", lambda *given, **more: page(*given, SINCE, **more))):
        yield verdict("temp", END, segment=f"origin={origin}")
    yield stored("humid", END, "warn")
    yield stored("cost", END, model_name="canary-watched", kind="categorical")
    yield stored("cost", END, model_name="canary-watched", model_version="4", kind="categorical")
    yield stored("dewp", END, "warn", reference="training", scale_hours=168)
    for end in range(END - 238, END - 228):
        yield page("carrier", end, END - 240, kind="categorical", channel=Channel(ChannelKind.VALUE, "DAL"))
    yield page("dewp", END - 2, END - 3)  # To be taken back.
    yield page("temp", END - 35 * 24, END - 35 * 24 - 6)
    for model, feature, verdict in (
        ("crew", "cost", "incomplete"),
        ("young", "cost", "learning"),
        (HOSTILE_MODEL, HOSTILE_FEATURE, "ok"),
    ):
        yield stored(feature, END, verdict, model_name=model, kind="categorical", reason=f"why {verdict}")


_RUN = {
    "training_run_id": "run-7f3a",
    "model_name": "flight-delay",
    "model_version": "3",
    "registered_time": hour_time(END - 1000),
    "git_commit": "9f3c2e1a7b",
    "artifact_uri": "s3://models/flight-delay/3",
    "data_uri": "s3://data/flights",
    "data_fingerprint": "1f2e",
    "reference_rows": 50,
    "runtime": {"python": "3.11"},
}
_COLUMNS = [
    "event_id",
    "event_time",
    "model_name",
    "model_version",
    "training_run_id",
    "session_id",
    "sequence",
    "environment",
    "numeric_features",
    "categorical_features",
    "missing_features",
    "tags",
]
WEATHER = FeatureView(
    "weather", Entity("station"), {"temp": "numeric"}, ttl=timedelta(hours=2), owner="met", tags={"tier": "1"}
)
SERVICE = FeatureService("delays", [WEATHER], model="flight-delay", owner="ds")


def _temperature(hour: int, index: int) -> float:
    return (30.0 if hour >= SINCE else 20.0) + index / 10


def _provenance(when: datetime, index: int) -> dict[str, str]:
    """Return the tags of an event whose temperature was read: it is that of its hour."""
    age_us = index * 60_000_000
    read = ViewRead(WEATHER.version, WEATHER.computation, f"S{index}", age_us)
    read_us = int(when.timestamp() * 1e6)
    return Provenance("delays", SERVICE.version, read_us, {"weather": read}).tags


def _store_features(client: Connection) -> None:
    """Register what the temperature is, and push each station's of each hour: what was logged."""
    register(client, [SERVICE], author="met")
    rows = [(hour, index) for hour in range(END - 8 * 24, END) for index in range(10)]
    frame = {
        "station": [f"S{index}" for _, index in rows],
        "event_time": [hour_time(hour) for hour, _ in rows],
        "temp": [None if hour >= SINCE and index == 0 else _temperature(hour, index) for hour, index in rows],
    }
    push(client, WEATHER, frame, available_time="event_time")


def _predictions() -> Iterator[list[Any]]:
    """Yield ten events an hour: temp moves from about 20 to about 30 degrees, carrier from DL to DAL."""
    sequence = 0
    for hour in range(END - 8 * 24, END):
        for index in range(10):
            sequence += 1
            if sequence == 3:
                continue  # Sent, never landed.
            drifted = hour >= SINCE
            temp = {} if drifted and index == 0 else {"temp": _temperature(hour, index)}
            carrier = "DAL" if drifted else "DL"
            when = datetime.fromtimestamp(hour * 3600, UTC) + timedelta(minutes=index)
            values = [temp, {"carrier": carrier if index < 4 else "UA"}, [] if temp else ["temp"]]
            values.append(_provenance(when, index))
            yield [
                uuid.uuid4(),
                when,
                "flight-delay",
                "3",
                "run-7f3a",
                "session-1",
                sequence,
                "production",
                *values,
            ]
    for index in range(50):
        when = datetime(2013, 1, 1, tzinfo=UTC)
        values = [{"temp": 10 + index / 10}, {}, [], {}]
        yield [
            uuid.uuid4(),
            when,
            "flight-delay",
            "3",
            "run-7f3a",
            "reference-1",
            index + 1,
            "reference",
            *values,
        ]
    hostile = [{}, {HOSTILE_FEATURE: HOSTILE_VALUE}, [], {}]
    when = datetime.fromtimestamp((END - 1) * 3600, UTC)
    yield [uuid.uuid4(), when, HOSTILE_MODEL, "3", "run-1", "session-2", 1, "production", *hostile]


def _fill(client: Connection) -> None:
    migrate(client)
    set_rules(client, "flight-delay", {"temp": {"maximum": 30.15}})
    write_given(client, _verdicts())
    # Judged again when missing events had landed; its own insert, or the engine would merge the two at once.
    write_given(client, [stored("dewp", END - 2, revision=2)])
    for model in ("flight-delay", "crew", "young", "canary-watched", HOSTILE_MODEL):
        judge_hours(client, model)
    judge_hours(client, "canary-watched", END - 49, version="4")
    write_incidents(client, list(_incidents()))
    predictions = list(_predictions())
    client.insert("prediction_inbox", predictions, column_names=_COLUMNS)
    client.insert("prediction_inbox", predictions[:1], column_names=_COLUMNS)  # Landed twice.
    client.insert(
        "sessions",
        [["session-1", hour_time(END), "flight-delay", "3", "production", 8 * 24 * 10 + 5]],
        column_names=[
            "session_id",
            "beat_time",
            "model_name",
            "model_version",
            "environment",
            "last_sequence",
        ],
    )
    client.insert(
        "training_run_events",
        [list(_RUN.values())],
        column_names=list(_RUN),
    )
    write_decisions(client, END)
    write_compared(client, END)
    _store_features(client)
    write_training(client, END)
    corrected = [[predictions[0][0], hour_time(END - 182 + 24 * day), "flight-delay", day] for day in (0, 1)]
    names = ["event_id", "observed_time", "model_name", "actual_number"]
    client.insert("outcomes", corrected, column_names=names)


def metrics_with_one_counter() -> Metrics:
    """Return live metrics with one counter at 3."""
    metrics = Metrics([Metric("driftline_tests_total", "counter", (), "Tests.")])
    metrics.count("driftline_tests_total", 3)
    return metrics


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Serve the store; it is closed with the module, since a process has one engine at a time."""
    with open_store(f"chdb://{tmp_path_factory.mktemp('web')}/store") as store:
        client = store.connect()
        _fill(client)
        client.close()
        derive(store)
        app = create_app(store, metrics_with_one_counter(), clock=lambda: WALL_CLOCK)
        server = WebServer(app, "127.0.0.1", 0)
        server.start()
        yield Browser(server.url, HOSTILE_LINK, store)
        server.stop()


@pytest.fixture(scope="module")
def chromium():
    """Return Debian's Chromium, started."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  most tests here need no browser

    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: nobody has looked at the pages in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def acting(site):
    """Return the address of the same pages where they take acknowledgements, of whoever has Ada's token."""
    app = create_app(site.store, Metrics(), clock=time.time, acting=Acting(KEY, tokens={"Ada": TOKEN}))
    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    yield server.url
    server.stop()
