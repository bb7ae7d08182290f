"""The page of features: what is defined, who uses it, and how fresh it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.features.listing import list_features
from driftline.store.feature_values import read_store_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.features.listing import Listed
    from driftline.store.connection import Connection


def view_features(connection: Connection) -> Sequence[Listed]:
    """Return everything that is registered, with ages by the store's time."""
    return list_features(connection, now_s=read_store_us(connection) / 1e6)
