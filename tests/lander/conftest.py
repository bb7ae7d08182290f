from __future__ import annotations

from contextlib import closing

import pytest

from driftline.embedded import open_store
from driftline.store import migrate
from tests.support.landing import Landing
from tests.support.running import Place


@pytest.fixture
def landing(tmp_path):
    opened = Landing(Place(tmp_path))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with open_store(f"chdb://{tmp_path_factory.mktemp('shared') / 'store'}") as opened:
        with closing(opened.connect()) as client:
            migrate(client)
        yield opened


@pytest.fixture(scope="module")
def client(store):
    with closing(store.connect()) as opened:
        yield opened
