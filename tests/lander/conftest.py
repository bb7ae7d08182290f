from __future__ import annotations

import pytest

from tests.support.landing import Landing
from tests.support.running import Place


@pytest.fixture
def landing(tmp_path):
    opened = Landing(Place(tmp_path))
    yield opened
    opened.close()
