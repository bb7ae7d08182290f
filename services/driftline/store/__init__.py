"""The store: where predictions, profiles and verdicts are kept, and everything that is asked of it."""

from driftline.store.connect import Store, open_store
from driftline.store.migrate import migrate

__all__ = ["Store", "migrate", "open_store"]
