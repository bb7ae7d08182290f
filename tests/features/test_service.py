"""Views are brought online again and again: one that fails stops no other, metrics say how fresh each is."""

from __future__ import annotations

import threading
import time
from contextlib import closing, nullcontext
from datetime import timedelta

import pytest

from driftline.embedded import open_store
from driftline.errors import NotFoundError, OnlineError
from driftline.features import Entity, FeatureView
from driftline.features.history import push
from driftline.features.metrics import ENTITIES, FAILURES, FEATURE_METRICS, MATERIALIZED, NEWEST, TTL
from driftline.features.online import ViewKey, open_online
from driftline.features.registering import register
from driftline.features.service import Materializer
from driftline.health import Pulse
from driftline.metrics import Metrics
from driftline.store import ready_connection

PLANES = FeatureView("planes", Entity("plane"), {"seats": "numeric"}, ttl=timedelta(hours=1))
AIRPORTS = FeatureView("airports", Entity("airport"), {"lanes": "numeric"})
BEGAN_S = 1_000.0


class Refusing:
    """A back end that refuses one view, until its name is taken away."""

    def __init__(self, online, view, error):
        self._online = online
        self.view = view
        self._error = error

    def progress(self, key):
        if key.view == self.view:
            raise self._error
        return self._online.progress(key)

    def __getattr__(self, name):
        return getattr(self._online, name)


@pytest.fixture
def store(tmp_path):
    with open_store(f"chdb://{tmp_path}/store") as opened:
        with closing(ready_connection(opened)) as connection:
            register(connection, [PLANES, AIRPORTS], author="a test")
            now = int(time.time())
            push(connection, PLANES, {"plane": ["a"], "event_time": [now - 60], "seats": [1]})
            push(connection, AIRPORTS, {"airport": ["b"], "event_time": [now - 60], "lanes": [2]})
        yield opened


@pytest.mark.parametrize(
    "error", [OnlineError("refused"), OverflowError("odd")], ids=lambda error: type(error).__name__
)
def test_a_view_that_fails_stops_no_other_and_comes_later(store, tmp_path, error):
    metrics = Metrics(FEATURE_METRICS)
    pulse = Pulse("features", lambda: 0.0)
    with (
        closing(open_online(f"sqlite://{tmp_path}/online.db")) as back_end,
        nullcontext(Refusing(back_end, "airports", error)) as online,
        closing(
            Materializer(store, online, metrics=metrics, pulse=pulse, clock=lambda: BEGAN_S)
        ) as materializer,
    ):
        with pytest.raises(type(error)):
            materializer.step()
        assert metrics.series(FAILURES) == {("airports",): 1, ("planes",): 0}
        assert metrics.series(MATERIALIZED)["airports",] == BEGAN_S
        assert metrics.series(MATERIALIZED)["planes",] > BEGAN_S
        assert metrics.series(ENTITIES) == {("planes",): 1}
        assert metrics.series(TTL) == {("planes",): 3600.0}
        assert metrics.series(NEWEST)["planes",] == pytest.approx(time.time() - 60, abs=600)
        online.view = ""
        stop = threading.Event()
        stop.wait = lambda _: stop.set()  # One look.
        materializer.run(stop)
        assert back_end.get(ViewKey("airports", AIRPORTS.computation), ["b"])[0].numbers == [2.0]


def test_a_view_that_nobody_registered_is_named(store, tmp_path):
    with closing(open_online(f"sqlite://{tmp_path}/online.db")) as online:
        materializer = Materializer(
            store,
            online,
            names=["wings"],
            metrics=Metrics(FEATURE_METRICS),
            pulse=Pulse("features", lambda: 0.0),
        )
        with (
            closing(materializer),
            pytest.raises(NotFoundError, match="'wings' is registered; there are: airports, planes"),
        ):
            materializer.step()
