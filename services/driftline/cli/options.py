"""What every command takes, and where settings come from: flags, then ``DRIFTLINE_*``, then a file."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from driftline.cli.logs import FailureError
from driftline.cli.settings import FILE, FlagOnly
from driftline.errors import DriftlineError, SettingError
from driftline.log import default_log_url
from driftline.log.folders import data_folder
from driftline.registry.policy import POLICY_VARIABLE
from driftline.store.url import PASSWORD_FILE_VARIABLE, embedded_url, has_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.drift import DriftSettings
    from driftline.monitors import Monitors

    _ShardParameter = click.ParamType[tuple[int, int]]
else:
    _ShardParameter = click.ParamType  # Older versions of click don't say what a parameter's type makes.

_MOST_SHARDS = 1_000

P = ParamSpec("P")
R = TypeVar("R")


def default_store_url() -> str:
    """Return the URL of the embedded store in the user's data folder."""
    return embedded_url(data_folder(os.environ) / "store")


def as_default(find: Callable[[], str]) -> Callable[[], str]:
    """Return what finds a default as click calls it: outside of what turns errors into messages."""

    def found() -> str:
        try:
            return find()
        except SettingError as error:
            raise click.UsageError(str(error)) from error

    return found


def log_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--log``."""
    return click.option(
        "--log",
        "log_url",
        default=as_default(lambda: default_log_url(os.environ)),
        show_default="file:// in your data folder",
        envvar="DRIFTLINE_LOG",
        help="Event log, such as file:///var/lib/driftline/log.",
    )(command)


def store_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--store``."""
    return click.option(
        "--store",
        "store_url",
        default=as_default(default_store_url),
        show_default="chdb:// in your data folder",
        envvar="DRIFTLINE_STORE",
        callback=refuse_visible_secrets(
            f"Name a file that holds it in {PASSWORD_FILE_VARIABLE}, or give the whole URL in "
            f"DRIFTLINE_STORE or as store = ... in {FILE}"
        ),
        help="Store: chdb:///folder or clickhouse://user@host:8123/database?option=value.",
    )(command)


def refuse_visible_secrets(
    advice: str, *, is_secret: Callable[[str], bool] = has_secret
) -> Callable[[click.Context, click.Parameter, str], str]:
    """Return a callback that refuses a password in a flag: every user can read it in the process list.

    Args:
        advice: where else to give it, as a sentence begins.
        is_secret: whether a URL holds one.
    """

    def refuse(context: click.Context, parameter: click.Parameter, url: str) -> str:
        source = context.get_parameter_source(parameter.name or "")
        if source is ParameterSource.COMMANDLINE and is_secret(url):
            raise click.UsageError(
                f"{parameter.opts[0]} holds a password, which every user of this host can read in the "
                f"process list. {advice}. A password that stood in a flag is no longer secret"
            )
        return url

    return refuse


def interval_option(
    default_s: float, help_text: str, *, name: str = "--interval", least_s: float = 0.1
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return what gives a command ``--interval``: how often a service looks, seconds."""
    return click.option(
        name,
        f"{name.removeprefix('--').replace('-', '_')}_s",
        type=click.FloatRange(min=least_s),
        default=default_s,
        show_default=True,
        help=help_text,
    )


def take_everywhere(command: click.Command) -> None:
    """Have each command take ``--log`` and ``--store``, so that the two name a deployment whoever is asked.

    Where a command needs one of them not, that has no effect.
    """
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            take_everywhere(inner)
        return
    taken = {name for parameter in command.params for name in parameter.opts}
    for name in ("--log", "--store"):
        if name not in taken:
            unused = "Taken as everywhere; this command does not need it."
            command.params.append(FlagOnly([name], expose_value=False, help=unused))


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
    from driftline.monitors import Monitors, read_monitors  # noqa: PLC0415  it takes half a second

    return Monitors.default(settings) if path is None else read_monitors(path, settings)


def policy_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--policy``: the path of a file, or None; `read_policy` reads it."""
    return click.option(
        "--policy",
        envvar=POLICY_VARIABLE,
        help="File that says what becomes of versions that nobody registered, by environment.",
    )(command)


def model_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--model``: a model's name, or None for all."""
    return click.option("--model", "model_name", help="Of this model only.")(command)


def json_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def clean_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn driftline's own errors, and those of the disk and of memory, into a message and exit status 1."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except DriftlineError as error:
            raise FailureError(str(error)) from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise FailureError(f"{where}{error.strerror or error}") from error
        except MemoryError as error:
            raise FailureError("there is too little memory for this") from error

    return guarded


class Shard(_ShardParameter):
    """Which of how many, as ``i/n``; i counts from 0."""

    name = "i/n"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return shard and shards."""
        if isinstance(value, tuple):
            return value
        try:
            shard, shards = (int(part) for part in str(value).split("/"))
        except ValueError:
            self.fail(f"{value!r} is not i/n, such as 0/4", param, ctx)
        if not 0 <= shard < shards <= _MOST_SHARDS:
            self.fail(f"{value!r}: there are shards 0 to n-1, and at most {_MOST_SHARDS}", param, ctx)
        return shard, shards
