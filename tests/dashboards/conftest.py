"""One world for all tests of a module: the embedded store has one owner at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.dashboards.world import make_world
from tests.drift.service.watching import opened_landing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.dashboards.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with opened_landing(folder) as landing:
        yield make_world(landing, folder)
