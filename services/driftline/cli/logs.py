"""What the services say on standard error: as text for people, or as one JSON object a line for machines."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, Literal

import click
from pythonjsonlogger.json import JsonFormatter

from driftline.cli.output import echo
from driftline.printable import printable
from driftline.sdk.runtime import package_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Format = Literal["text", "json"]

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_RENAMED = {"levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"}
_LIBRARIES = ("urllib3", "clickhouse_connect", "httpx", "httpx2")
"""What they warn of, our own errors say; what they ask of whom is of interest to debug."""

_MINUTE_S = 60.0
_logger = logging.getLogger("driftline")


def configure_logs(form: Format, level: str, *, service: str) -> None:
    """Have the root logger write to standard error, unless something configured it already.

    In JSON, what nothing caught goes the same way: no line is anything else.

    Args:
        form: text or json.
        level: the least severe level that is written.
        service: the command that runs.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(json_formatter(service) if form == "json" else TextFormatter(_TEXT))
    handler.addFilter(Flood(time.monotonic))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel("DEBUG" if level.lower() == "debug" else "CRITICAL")
    if form == "json":
        logging.captureWarnings(capture=True)
        sys.excepthook = _tell_uncaught
        threading.excepthook = _tell_uncaught_of_thread


class TextFormatter(logging.Formatter):
    """Writes a record in a line, whatever names are in its message; a traceback stands indented below."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  as the base class calls it
        """Return a record's line."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  as the base class calls it
        """Return a traceback, of which no line can be taken for a record's."""
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  {printable(line)}" for line in lines)


class _PrintableJson(JsonFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class Flood(logging.Filter):
    """Lets so many records of one kind through in a minute, and says of how many it was silent before.

    Whoever can have a server warn of each of its requests would fill the disk with what it says.

    Args:
        monotonic: a clock in seconds.
        limit: records of one logger with one message, whatever is put into it, in a minute.
    """

    def __init__(self, monotonic: Callable[[], float], *, limit: int = 100) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._limit = limit
        self._until_s = float("-inf")
        self._counts = Counter[tuple[str, str]]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        if self._monotonic() >= self._until_s:
            self._until_s = self._monotonic() + _MINUTE_S
            self._counts.clear()
        kind = (record.name, str(record.msg)[:200])
        self._counts[kind] += 1
        if self._counts[kind] == self._limit:
            record.msg = f"{record.getMessage()} (there are more of this kind; silent for up to a minute)"
            record.args = ()
        return self._counts[kind] <= self._limit


def json_formatter(service: str) -> logging.Formatter:
    """Return what writes a record as an object: timestamp, level, logger, message, service, version, context.

    Context is what the record has as ``extra``: an event's, an incident's or a place in the log.
    """
    return _PrintableJson(
        "{levelname}{name}{message}",
        style="{",
        rename_fields=_RENAMED,
        static_fields={"service": service, "version": package_version("driftline") or "unknown"},
        timestamp=True,
        json_ensure_ascii=False,
    )


def announce(message: str, **context: Any) -> None:
    """Tell whoever started a service what it does: on standard output, or in JSON as a line of the log."""
    if _is_json():
        _logger.info(" ".join(message.split()), extra=context)
    else:
        echo(message)


class FailureError(click.ClickException):
    """A command failed; it ends with exit status 1. Reported as everything else is.

    Args:
        message: what is wrong.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, keep="\n"))
        self._is_json = _is_json()  # When it is shown, the command's context is gone.

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it."""
        if self._is_json:
            _logger.critical(self.message)
        else:
            super().show(file)


def _is_json() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and context.find_root().params.get("log_format") == "json"


def _tell_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _logger.critical("ended by an error that nothing caught", exc_info=(kind, error, trace))


def _tell_uncaught_of_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not issubclass(given.exc_type, SystemExit):
        name = given.thread.name if given.thread else "a thread"
        _logger.critical(
            "%s ended by an error that nothing caught",
            name,
            exc_info=(given.exc_type, given.exc_value, given.exc_traceback),
        )
