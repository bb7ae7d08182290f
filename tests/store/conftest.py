from __future__ import annotations

import pytest

from tests.store.play import play
from tests.support.landing import Landing
from tests.support.running import Place

__all__ = ["play"]


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """One store for a module: tests in it use models of their own."""
    opened = Landing(Place(tmp_path_factory.mktemp("store")))
    yield opened
    opened.close()


@pytest.fixture
def client(landing):
    return landing.client
