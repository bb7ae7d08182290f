from __future__ import annotations

import pytest

from driftline.audit import SEALER_METRICS, Sealer
from driftline.metrics import Metrics
from tests.support.landing import Landing
from tests.support.running import Place


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """One store for a module: tests in it use models of their own."""
    opened = Landing(Place(tmp_path_factory.mktemp("audit")))
    yield opened
    opened.close()


@pytest.fixture
def client(landing):
    return landing.client


@pytest.fixture
def sealer(landing):
    made = Sealer(landing.store, metrics=Metrics(SEALER_METRICS))
    yield made
    made.close()
