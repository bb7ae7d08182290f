"""What is exported of served streams, whatever their environment is called."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from driftline.domain.streams import Stream
from driftline.drift.service.export import by_version, export_verdicts, served_streams
from driftline.drift.service.metrics import VERDICT, WORKER_METRICS
from driftline.metrics import Metrics
from driftline.store.profiles import StreamSpan


def served(*environments, last_hour=100):
    spans = [StreamSpan(Stream("m", "1", name), 0, last_hour, 10, 0, 0) for name in environments]
    return {stream.environment for stream in served_streams(spans, {"m": 100})}


@pytest.mark.parametrize(
    ("environments", "expected"),
    [
        (("production", "shadow", "canary", "staging"), {"production"}),
        (("prod",), {"prod"}),
        (("Produktion", "shadow"), {"Produktion"}),
        (("prod-eu", "prod-us", "canary"), {"prod-eu", "prod-us"}),
        (("shadow", "canary"), set()),
    ],
)
def test_a_model_is_reported_where_it_serves_whatever_that_is_called(environments, expected):
    assert served(*environments) == expected
    assert served(*environments, last_hour=76) == set()


def test_several_environments_of_a_version_are_reported_as_one_by_the_gravest():
    metrics = Metrics(WORKER_METRICS)

    def given(verdict):
        return [
            SimpleNamespace(
                reference="training", feature="f", kind="numeric", verdict=verdict, window_end=100
            )
        ]

    export_verdicts(
        metrics, {Stream("m", "1", "prod-eu"): given("page"), Stream("m", "1", "prod-us"): given("ok")}
    )
    reported = metrics.expose().decode()
    series = f'{VERDICT}{{feature="f",kind="numeric",model_name="m",model_version="1",verdict='
    assert f'{series}"page"}} 1.0' in reported
    assert f'{series}"ok"}}' not in reported
    values = [(Stream("m", "1", "prod-eu"), 0.5), (Stream("m", "1", "prod-us"), 1.0)]
    assert by_version(values, min) == {("m", "1"): 0.5}


def test_a_quiet_night_looks_as_on_the_incidents_where_a_longer_window_was_judged():
    metrics = Metrics(WORKER_METRICS)
    given = [
        SimpleNamespace(reference="training", feature="f", kind="numeric", verdict=verdict, window_end=100)
        for verdict in ("insufficient_data", "ok")
    ]
    export_verdicts(metrics, {Stream("m", "1", "production"): given})
    reported = metrics.expose().decode()
    series = f'{VERDICT}{{feature="f",kind="numeric",model_name="m",model_version="1",verdict='
    assert f'{series}"ok"}} 1.0' in reported
    assert "insufficient_data" not in reported
