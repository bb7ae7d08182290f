"""``--allow-acting``: who may acknowledge incidents from their pages, and as which user of the store."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from driftline.cli.settings import (
    ACTING_KEY,
    ACTING_KEY_FILE,
    ACTING_STORE_PASSWORD,
    ACTING_STORE_PASSWORD_FILE,
    ACTING_STORE_USER,
    ACTING_TOKENS,
    ACTING_TOKENS_FILE,
)
from driftline.errors import SettingError
from driftline.store.connect import ServerStore
from driftline.store.url import ServerUrl, parse_store_url, read_secret
from driftline.web import Acting

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHORTEST = 16

allow_acting_option = click.option(
    "--allow-acting",
    is_flag=True,
    envvar="DRIFTLINE_ALLOW_ACTING",
    help="Take acknowledgements from an incident's page: from whom your proxy names (--user-header), or who "
    f"has a token in the file that {ACTING_TOKENS_FILE} names. Default: the pages only show.",
)


def acting_of(*, allowed: bool, store_url: str, user_header: str) -> Acting | None:
    """Return who may acknowledge from the pages; None: nobody.

    Args:
        allowed: whether anybody may.
        store_url: of the pages.
        user_header: of requests, in which a proxy says who asks.

    Raises:
        SettingError: nothing says who acknowledges, or as which user of a server.
    """
    if not allowed:
        return None
    tokens = _tokens(read_secret(os.environ, ACTING_TOKENS, ACTING_TOKENS_FILE) or "")
    if not tokens and not user_header:
        raise SettingError(
            "--allow-acting takes something that says who acknowledges: --user-header, where a proxy "
            f"says it, or {ACTING_TOKENS_FILE}, a file with a name and a token on each line"
        )
    key = read_secret(os.environ, ACTING_KEY, ACTING_KEY_FILE)
    if key is not None and len(key) < _SHORTEST:
        raise SettingError(f"a key of less than {_SHORTEST} characters can be guessed; see {ACTING_KEY_FILE}")
    return Acting(
        key=secrets.token_bytes(32) if key is None else key.encode(),
        store=_acting_store(store_url),
        tokens=tokens,
        user_header=user_header,
    )


def _tokens(text: str) -> Mapping[str, str]:
    """Return the token of each person, by name.

    Raises:
        SettingError: a line is no name and token, or a token is too short, or not one person's only.
    """
    found: dict[str, str] = {}
    for place, line in enumerate(text.splitlines(), 1):
        name, _, token = line.strip().rpartition(" ")
        name = name.strip()
        if not line.strip():
            continue
        where = f"{ACTING_TOKENS_FILE}, line {place}"
        if not name:
            raise SettingError(f"{where}: there stand a name and a token, with a space between them")
        if len(token) < _SHORTEST:
            raise SettingError(f"{where}: a token of less than {_SHORTEST} characters can be guessed")
        if name in found or token in found.values():
            raise SettingError(f"{where}: this name or token stands there twice")
        found[name] = token
    return found


def _acting_store(store_url: str) -> ServerStore | None:
    """Return a server's store as who may acknowledge; None for an embedded one: its owner may."""
    url = parse_store_url(store_url)
    if not isinstance(url, ServerUrl):
        return None
    user = os.environ.get(ACTING_STORE_USER, "")
    if not user:
        raise SettingError(
            f"--allow-acting takes a user of the store who may acknowledge: name one in {ACTING_STORE_USER}, "
            f"such as driftline_responder_user, and its password in {ACTING_STORE_PASSWORD_FILE}"
        )
    password = read_secret(os.environ, ACTING_STORE_PASSWORD, ACTING_STORE_PASSWORD_FILE) or ""
    # A token or a certificate would say who asks in place of the user.
    who = {"access_token", "client_cert", "client_cert_key"}
    options = tuple((name, value) for name, value in url.options if name not in who)
    return ServerStore(replace(url, user=user, password=password, options=options))
