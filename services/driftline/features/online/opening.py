"""Opening an online back end by its URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from driftline.errors import SettingError

if TYPE_CHECKING:
    from driftline.features.online.base import OnlineStore


def open_online(url: str) -> OnlineStore:
    """Open an online back end.

    Args:
        url: ``sqlite:///var/lib/driftline/features.db``, or ``redis://host:6379/0`` (``rediss://`` over TLS).

    Raises:
        SettingError: the URL has no known form, or Redis' client is not installed.
        OnlineError: it can't be opened.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and parts.path and not parts.netloc:
        from driftline.features.online.sqlite import SqliteOnlineStore  # noqa: PLC0415  one of two is needed

        return SqliteOnlineStore(Path(unquote(parts.path)))
    if parts.scheme in {"redis", "rediss"}:
        from driftline.features.online.redis import RedisOnlineStore  # noqa: PLC0415  as above

        return RedisOnlineStore(url)
    raise SettingError(
        f"{parts.scheme or url!r} is no place for features online; there are sqlite:///PATH, and "
        "redis://HOST:6379/0"
    )
