"""Which event log a URL means."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from driftline.errors import SettingError
from driftline.log.database import LocalLogSettings
from driftline.log.folders import data_folder
from driftline.log.kafka.settings import parse_kafka_url
from driftline.log.local import LocalLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.log.base import EventLog


def default_log_url(environ: Mapping[str, str]) -> str:
    """Return the URL in ``DRIFTLINE_LOG``, else a local log in the user's data folder."""
    return environ.get("DRIFTLINE_LOG") or (data_folder(environ) / "log").as_uri()


def open_log(url: str, environ: Mapping[str, str] | None = None) -> EventLog:
    """Return the event log at a URL. Touches no network, and of the disk only files that hold secrets.

    Args:
        url: ``file:///folder``, optionally with ``?max_bytes=4294967296&synchronous=normal``, or
            ``kafka://host:9092,host2:9092`` with the options that ``driftline.log.kafka.settings`` tells.
        environ: variables that complete a ``kafka://`` URL; None: those of this process.

    Raises:
        SettingError: the URL is none that is understood, or a variable is wrong.
    """
    if url.startswith("kafka:"):
        return _open_kafka(url, os.environ if environ is None else environ)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SettingError(f"log URL {url!r} is none: {error}") from error
    if not parts.scheme and url.startswith("/"):
        raise SettingError(f"{url!r} is a folder, and no log URL; write {Path(url).as_uri()}")
    if parts.scheme != "file":
        raise SettingError(
            f"log URL {url!r}: it must begin with file:/// or kafka://, such as file:///var/lib/driftline/log"
        )
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/") or parts.fragment:
        raise SettingError(
            f"log URL {url!r}: after file:// comes an absolute path, such as "
            "file:///var/log; in it write %23 for #, %3F for ?, and %25 for %"
        )
    return LocalLog(_local_settings(url, Path(unquote(parts.path)), parts.query))


@contextmanager
def opened_log(log: str | EventLog | None) -> Iterator[EventLog]:
    """Yield a log: one given by URL is opened and closed again, one that is open stays so; None: the default.

    Raises:
        SettingError: as ``open_log``.
    """
    if log is None or isinstance(log, str):
        with open_log(default_log_url(os.environ) if log is None else log) as opened:
            yield opened
    else:
        yield log


def _open_kafka(url: str, environ: Mapping[str, str]) -> EventLog:
    settings = parse_kafka_url(url, environ)
    # Who uses a local log does not load librdkafka.
    from driftline.log.kafka.log import KafkaLog  # noqa: PLC0415  as above

    return KafkaLog(settings)


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
                "synchronous=normal or synchronous=full; a ? of a path is written %3F"
            )
    return settings
