"""The store: where predictions, profiles and verdicts are kept, and everything that is asked of it."""

from driftline.store.connect import Store, open_store
from driftline.store.migrate import migrate
from driftline.store.ready import ask, ready_connection

__all__ = ["Store", "ask", "migrate", "open_store", "ready_connection"]
