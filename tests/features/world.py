"""A model of which the features of an airport's weather are logged, stored, and made to differ."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.hours import hour_of
from driftline.domain.incidents import Finding, Incident
from driftline.domain.streams import Stream
from driftline.features import Entity, FeatureService, FeatureView
from driftline.features.history import push
from driftline.features.materialize import materialize
from driftline.features.online import get_online, open_online
from tests.support.traffic import make_logger

ZERO = timedelta(0)
START = datetime(2026, 2, 2, tzinfo=UTC)
AIRPORTS = [f"A{number}" for number in range(10)]
HOURS = 4
WEATHER = FeatureView(
    "weather",
    Entity("airport", key="origin"),
    {"temp": "numeric", "wind": "numeric", "sky": "categorical"},
    ttl=timedelta(hours=6),
    owner="met",
)
SERVICE = FeatureService("delays", [WEATHER], model="flight-delay")


def temperature(place, hour):
    return 10.0 + place + hour / 2


def store_weather(connection, view=WEATHER):
    """Push what each airport's weather was, each hour, from four hours before the start on."""
    rows = [(place, hour) for hour in range(-4, HOURS) for place in range(len(AIRPORTS))]
    frame = {
        "origin": [AIRPORTS[place] for place, _ in rows],
        "event_time": [START + timedelta(hours=hour) for _, hour in rows],
        "temp": [temperature(*row) for row in rows],
        "wind": [None if place == 3 else float(place) for place, _ in rows],
        "sky": ["clear" if hour % 2 else "overcast" for _, hour in rows],
    }
    push(connection, view, frame, available_time="event_time")


def events_of(
    connection,
    folder,
    *,
    change=dict,
    stuck_at=None,
    service=SERVICE,
    provenance=AIRPORTS,
    clock_behind=ZERO,
    until=HOURS,
):
    """Return the arguments of ``log`` of each airport every quarter of an hour, for four hours.

    Args:
        connection: to the store.
        folder: of the online back end.
        change: what serving makes of the features.
        stuck_at: materialized until this hour only; None: always.
        service: whose features.
        provenance: of which airports the events have it.
        until: the hour from which on serving changes nothing any more.
        clock_behind: how far the service's clock is behind the store's.
    """
    made = []
    with closing(open_online(f"sqlite://{folder}/online.db")) as online:
        for quarter in range(HOURS * 4):
            now = START + timedelta(minutes=15 * quarter + 1)
            if stuck_at is None or quarter < stuck_at * 4:
                for selected in service.selected:
                    materialize(connection, online, selected.view, now_us=int(now.timestamp() * 1e6))
            for airport in AIRPORTS:
                then = now - clock_behind
                found = get_online(online, service, airport, clock=then.timestamp)
                made.append(
                    {
                        "features": change(found.features) if quarter < until * 4 else found.features,
                        "prediction": 0.5,
                        "entity_id": airport,
                        "event_time": then,
                        "tags": {"half": "low" if airport < "A5" else "high"}
                        | (found.provenance.tags if airport in provenance else {}),
                    }
                )
    return made


def log_events(log, events, model):
    with make_logger(log, model_name=model) as logger:
        assert None not in [logger.log(**event) for event in events]


def incident(model, *features, effect=0.4, segment="", after=0):
    """An incident in which these features moved."""
    first = hour_of(START) + after
    one = Finding(
        segment=segment,
        feature="",
        kind="numeric",
        reference="production",
        channel=Channel(ChannelKind.AT_MOST, 5.0),
        effect=effect,
        expected=0.1,
        observed=0.5,
        z=9.0,
        scale_hours=1,
        since=first,
        detected=first + 1,
        last=first + HOURS - after,
        episode_ids=("e1",),
    )
    return Incident(
        stream=Stream(model, "3", "production"),
        incident_id=f"incident-{model}",
        detected=first + 1,
        state="open",
        findings=tuple(replace(one, feature=feature) for feature in features),
    )
