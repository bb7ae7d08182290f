"""Options that commands on features share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from driftline.cli.options import as_default, refuse_visible_secrets
from driftline.cli.settings import FILE
from driftline.log.folders import data_folder
from driftline.store.url import has_secret

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
        callback=refuse_visible_secrets(
            f"Give the URL in DRIFTLINE_ONLINE, or as online = ... in {FILE}", is_secret=_is_secret
        ),
        help="Where values are online: sqlite:///PATH, or redis://HOST:6379/0.",
    )(command)


def _is_secret(url: str) -> bool:
    return not url.startswith("sqlite:") and has_secret(url)


def definitions_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command ``--definitions``: a file of Python, or None."""
    return click.option(
        "--definitions",
        type=click.Path(path_type=Path),
        help="File of Python that defines them, where their transforms' code is needed. Default: as they are "
        "registered.",
    )(command)
