"""The store: where predictions, profiles and verdicts are kept, and everything that is asked of it."""

from driftline.store.connect import Store
from driftline.store.connection import Connection
from driftline.store.migrate import migrate
from driftline.store.ready import ask, ready_connection

__all__ = ["Connection", "Store", "ask", "migrate", "ready_connection"]
