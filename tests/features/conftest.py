from __future__ import annotations

import pytest

from driftline.embedded import open_store
from driftline.store import migrate


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    """One store for a module: tests in it use views of their own."""
    with (
        open_store(f"chdb://{tmp_path_factory.mktemp('features')}/store") as store,
        store.connect() as opened,
    ):
        migrate(opened)
        yield opened
