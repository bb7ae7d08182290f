"""Serving over HTTP from a thread of a process that has better things to do."""

from driftline.serving.connections import Limits
from driftline.serving.hosts import AllowedHosts
from driftline.serving.server import WebServer

__all__ = ["AllowedHosts", "Limits", "WebServer"]
