from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from driftline.store.chain import read_store_ms
from tests.support.landing import Landing
from tests.support.running import Place


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """One store for a module: tests in it use models of their own."""
    opened = Landing(Place(tmp_path_factory.mktemp("lifecycle")))
    yield opened
    opened.close()


@pytest.fixture
def client(landing):
    return landing.client


@pytest.fixture
def settled(client):
    """Return a time by which all that has landed is settled: ten minutes on."""

    def later(minutes: float = 10) -> datetime:
        now = datetime.fromtimestamp(read_store_ms(client) / 1000, UTC)
        return now + timedelta(minutes=minutes)

    return later
