"""Options that commands on features share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from driftline.cli.options import as_default
from driftline.cli.settings import FILE
from driftline.log.folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def default_online_url() -> str:
    """Return the URL of the online back end in the user's data folder."""
    return f"sqlite://{data_folder(os.environ) / 'features.db'}"


def online_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--online``."""
    return click.option(
        "--online",
        "online_url",
        default=as_default(default_online_url),
        show_default="sqlite:// in your data folder",
        envvar="DRIFTLINE_ONLINE",
        callback=_refuse_visible_secret,
        help="Where values are online: sqlite:///PATH, or redis://HOST:6379/0.",
    )(command)


def _refuse_visible_secret(context: click.Context, parameter: click.Parameter, url: str) -> str:
    """Refuse a password in a flag: every user of the host can read it in the process list."""
    source = context.get_parameter_source(parameter.name or "")
    if source is ParameterSource.COMMANDLINE and "@" in url.partition("://")[2].partition("/")[0]:
        raise click.UsageError(
            "--online holds a password, which every user of this host can read in the process list; give the "
            f"URL in DRIFTLINE_ONLINE, or as online = ... in {FILE}. A password that stood in a flag is no "
            "longer secret"
        )
    return url


def definitions_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--definitions``: a file of Python, or None."""
    return click.option(
        "--definitions",
        type=click.Path(path_type=Path),
        help="File of Python that defines them, where their transforms' code is needed. Default: as they are "
        "registered.",
    )(command)
