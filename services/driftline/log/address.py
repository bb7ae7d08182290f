"""Which event log a URL means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from driftline.errors import SettingError
from driftline.log.database import LocalLogSettings
from driftline.log.local import LocalLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.log.base import EventLog


def default_log_url(environ: Mapping[str, str]) -> str:
    """Return the URL in ``DRIFTLINE_LOG``, else a local log in the user's data folder.

    The data folder is ``XDG_DATA_HOME``, else ``~/.local/share`` (XDG Base Directory Specification).
    """
    if url := environ.get("DRIFTLINE_LOG"):
        return url
    data_home = environ.get("XDG_DATA_HOME", "")
    # The specification says that a relative path is to be ignored.
    home = Path(data_home) if data_home.startswith("/") else Path.home() / ".local" / "share"
    return (home / "driftline" / "log").as_uri()


def open_log(url: str) -> EventLog:
    """Return the event log at a URL. Touches neither disk nor network yet.

    Args:
        url: ``file:///folder``, optionally with ``?max_bytes=4294967296&synchronous=normal``.

    Raises:
        SettingError: the URL is none that is understood.
    """
    parts = urlsplit(url)
    if parts.scheme == "kafka":
        raise SettingError(f"log URL {url!r}: kafka:// is not supported yet; use file:///folder")
    if parts.scheme != "file":
        raise SettingError(f"log URL {url!r}: it must begin with file:///")
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/") or parts.fragment:
        raise SettingError(f"log URL {url!r}: after file:// comes an absolute path, such as file:///var/log")
    return LocalLog(_local_settings(url, Path(unquote(parts.path)), parts.query))


def _local_settings(url: str, folder: Path, query: str) -> LocalLogSettings:
    """Return the settings of a local log, from the query of its URL."""
    settings = LocalLogSettings(folder)
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name == "max_bytes" and text.isascii() and text.isdigit():
            settings = replace(settings, max_bytes=int(text))
        elif name == "synchronous":
            settings = replace(settings, synchronous=text.lower())
        else:
            raise SettingError(
                f"log URL {url!r}: {name}={text} is not understood; allowed are max_bytes=INTEGER and "
                "synchronous=normal or synchronous=full"
            )
    return settings
