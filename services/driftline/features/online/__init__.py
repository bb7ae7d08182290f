"""Values of features online: what a service asks while a request waits."""

from driftline.errors import OnlineError
from driftline.features.online.base import OnlineRow, OnlineStore, Progress, ViewKey
from driftline.features.online.opening import open_online
from driftline.features.online.provenance import Provenance, read_provenance
from driftline.features.online.reading import Online, get_online, get_online_many

__all__ = [
    "Online",
    "OnlineError",
    "OnlineRow",
    "OnlineStore",
    "Progress",
    "Provenance",
    "ViewKey",
    "get_online",
    "get_online_many",
    "open_online",
    "read_provenance",
]
