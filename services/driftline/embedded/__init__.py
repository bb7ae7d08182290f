"""The engine inside a process: who owns a store's folder, and how others reach it. It also opens servers'."""

from driftline.embedded.stores import open_store

__all__ = ["open_store"]
