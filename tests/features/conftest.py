from __future__ import annotations

from contextlib import closing

import pytest

from driftline.embedded import open_store
from driftline.features.online import open_online
from driftline.store import migrate
from tests.support.redis import Redis


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    """One store for a module: tests in it use views of their own."""
    with (
        open_store(f"chdb://{tmp_path_factory.mktemp('features')}/store") as store,
        store.connect() as opened,
    ):
        migrate(opened)
        yield opened


@pytest.fixture(scope="session")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "redis"])
def online_url(request, tmp_path):
    """Every online back end, each with nothing in it; a new one joins here."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/online/features.db"
    server = request.getfixturevalue("redis")
    server.empty()
    return server.url


@pytest.fixture
def online(online_url):
    with closing(open_online(online_url)) as opened:
        yield opened
