"""An intake over a log in memory, and a client that knows its token."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from driftline.intake import INTAKE_METRICS, Intake
from driftline.metrics import Metrics
from driftline.testing import MemoryLog

TOKEN = "a token of both sides"
NOW_S = 1_767_225_600.0


class Clock:
    """A clock that stands until somebody moves it."""

    def __init__(self):
        self.now_s = NOW_S

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    return MemoryLog()


@pytest.fixture
def metrics():
    return Metrics(INTAKE_METRICS)


@pytest.fixture
def intake(log, metrics, clock):
    taking = Intake(log, [TOKEN, "another"], metrics=metrics, clock=clock, monotonic=clock)
    yield taking
    taking.close()


@pytest.fixture
def client(intake):
    with TestClient(Starlette(routes=intake.routes())) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client
