"""What every command takes, and where settings come from: flags, then ``DRIFTLINE_*``, then a file."""

from __future__ import annotations

import functools
import logging
import os
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import quote

import click
from click.core import ParameterSource
from clickhouse_connect.driver.exceptions import ClickHouseError

from driftline.cli.logs import FailureError
from driftline.errors import DriftlineError
from driftline.log import default_log_url
from driftline.log.folders import data_folder
from driftline.monitors import Monitors, read_monitors
from driftline.store.url import PASSWORD_FILE_VARIABLE, has_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.drift import DriftSettings

P = ParamSpec("P")
R = TypeVar("R")

_FILE = "driftline.toml"
_logger = logging.getLogger(__name__)


def load_settings(path: str | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of the settings file.

    That is the file named, else ``driftline.toml`` here, else in the user's settings folder.
    Top-level keys hold for every command; a table named after a command holds for that one. A file that
    holds a password and can be read by others is warned of.

    Raises:
        click.UsageError: the file is missing or no TOML.
    """
    if path:
        candidates = [Path(path)]
    else:
        home = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        candidates = [file for file in (Path(_FILE), home / "driftline" / _FILE) if file.is_file()][:1]
    for file in candidates:
        try:
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
            mode = file.stat().st_mode
        except OSError as error:
            raise click.UsageError(f"settings file {file}: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise click.UsageError(f"settings file {file}: {error}") from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO) and _holds_secret(settings):
            _logger.warning("settings file %s holds a password and others may read it: chmod 600 it", file)
        return settings
    return {}


def _holds_secret(settings: Mapping[str, Any]) -> bool:
    tables = [settings, *(table for table in settings.values() if isinstance(table, dict))]
    return any(has_secret(url) for table in tables if isinstance(url := table.get("store"), str))


def default_store_url() -> str:
    """Return the URL of the embedded store in the user's data folder."""
    return f"chdb://{quote(str(data_folder(os.environ) / 'store'))}"


def log_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--log``."""
    return click.option(
        "--log",
        "log_url",
        default=lambda: default_log_url(os.environ),
        show_default="file:// in your data folder",
        envvar="DRIFTLINE_LOG",
        help="Event log, such as file:///var/lib/driftline/log.",
    )(command)


def store_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--store``."""
    return click.option(
        "--store",
        "store_url",
        default=default_store_url,
        show_default="chdb:// in your data folder",
        envvar="DRIFTLINE_STORE",
        callback=_refuse_visible_secret,
        help="Store: chdb:///folder or clickhouse://user@host:8123/database?option=value.",
    )(command)


def _refuse_visible_secret(context: click.Context, parameter: click.Parameter, url: str) -> str:
    """Refuse a password in a flag: every user of the host can read it in the process list."""
    source = context.get_parameter_source(parameter.name or "")
    if source is ParameterSource.COMMANDLINE and has_secret(url):
        raise click.UsageError(
            "--store holds a password, which every user of this host can read in the process list. Name a "
            f"file that holds it in {PASSWORD_FILE_VARIABLE}, or give the whole URL in DRIFTLINE_STORE or as "
            f"store = ... in {_FILE}. A password that stood in a flag is no longer secret"
        )
    return url


def monitors_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--monitors``: the path of a file, or None; `load_monitors` reads it."""
    return click.option(
        "--monitors",
        type=click.Path(path_type=Path),
        envvar="DRIFTLINE_MONITORS",
        help="File that says what is monitored of which model; see 'driftline monitors check'.",
    )(command)


def load_monitors(path: Path | None, settings: DriftSettings) -> Monitors[DriftSettings]:
    """Return what a file says, or without one that every model is judged by the settings.

    Raises:
        MonitorsError: the file is missing, or something in it is wrong.
    """
    return Monitors.default(settings) if path is None else read_monitors(path, settings)


def json_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def clean_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn driftline's own errors into a message and exit status 1."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except DriftlineError as error:
            raise FailureError(str(error)) from error
        except ClickHouseError as error:
            raise FailureError(f"the store refused: {error}") from error

    return guarded
