"""Where a store is, and how it is reached.

``chdb:///folder`` is an embedded store, ``clickhouse://user:password@host:8123/database?option=value`` a
server's; ``clickhouses://`` is a server's over TLS.
"""

from __future__ import annotations

import inspect
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from clickhouse_connect.driver.httpclient import HttpClient

from driftline.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from urllib.parse import SplitResult

DEFAULT_DATABASE = "driftline"
USER_VARIABLE = "DRIFTLINE_STORE_USER"
PASSWORD_VARIABLE = "DRIFTLINE_STORE_PASSWORD"  # noqa: S105  the variable's name
PASSWORD_FILE_VARIABLE = "DRIFTLINE_STORE_PASSWORD_FILE"  # noqa: S105  the variable's name

_FORMS = "chdb:///folder or clickhouse://user@host:8123/database (clickhouses:// for TLS)"
_ESCAPES = "in a user or password, write the characters :/?#@% as %3A and so on"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

# What the rest of the URL says, or what no text can say.
_ELSEWHERE = frozenset(
    "self interface host port username user user_name password database settings secure dsn generic_args "
    "pool_mgr session_id headers token_provider".split()
)
_OPTIONS = frozenset(inspect.signature(HttpClient).parameters) - _ELSEWHERE
_FILES = ("ca_cert", "client_cert", "client_cert_key")
_PROXIES = ("http_proxy", "https_proxy")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class EmbeddedUrl:
    """An embedded store: ClickHouse's engine over one folder of this host."""

    folder: Path
    database: str = DEFAULT_DATABASE


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A ClickHouse server's HTTP interface. What may be a secret stays out of ``repr``.

    Args:
        host: name or address.
        port: of the HTTP interface.
        user: who asks.
        password: of that user.
        database: where driftline's tables are.
        secure: over TLS.
        options: of the client, as ``clickhouse_connect.get_client`` calls it.
        settings: ClickHouse's own settings, for every query.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = DEFAULT_DATABASE
    secure: bool = False
    options: tuple[tuple[str, str | bool], ...] = field(default=(), repr=False)
    settings: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def parse_store_url(url: str, environ: Mapping[str, str] | None = None) -> EmbeddedUrl | ServerUrl:
    """Read a store URL. May read the file that holds the password.

    Args:
        url: what it says goes before what the environment says.
        environ: of the process, unless given. A server's user and password that the URL leaves out come from
            ``DRIFTLINE_STORE_USER``, ``DRIFTLINE_STORE_PASSWORD`` or ``DRIFTLINE_STORE_PASSWORD_FILE``.

    Raises:
        SettingError: it has none of the known forms, or a file that is named can't be read.
    """
    parts = _split(url)
    if parts.scheme == "chdb":
        folder = unquote(parts.path)
        if parts.netloc or parts.query or parts.fragment or not folder.startswith("/") or folder == "/":
            shown = without_secrets(url)
            raise SettingError(
                f"store URL {shown!r}: an embedded store is chdb:///absolute/folder; in its path write %23 "
                "for #, and %25 for %"
            )
        if "?" in folder:
            raise SettingError(
                f"an embedded store can't be in {folder}: its engine takes no ? in a path; name another "
                "folder with --store or DRIFTLINE_STORE"
            )
        return EmbeddedUrl(Path(folder))
    if parts.scheme in {"clickhouse", "clickhouses"}:
        return _server(parts, os.environ if environ is None else environ)
    if not parts.scheme and url.startswith("/"):
        raise SettingError(f"{url!r} is a folder, and no store URL; write {embedded_url(Path(url))}")
    raise SettingError(f"store URL of scheme {parts.scheme!r} is not known; use {_FORMS}")


def embedded_url(folder: Path) -> str:
    """Return the URL of an embedded store in a folder, whatever characters its absolute path has."""
    return f"chdb://{quote(str(folder))}"


def has_secret(url: str) -> bool:
    """Return whether a store URL holds a password, a token, or a proxy's password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "@" in url
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    # A password with a bare "/", "?" or "#" ends the host early, and stands where it does not belong.
    elsewhere = (parts.path, parts.fragment, *options)
    return (
        ":" in parts.netloc.rpartition("@")[0]
        or any("@" in text for text in elsewhere)
        or not {"access_token", "password"}.isdisjoint(options)
        or any("@" in options.get(name, "") for name in _PROXIES)
    )


def without_secrets(url: str) -> str:
    """Return a URL for people to read: without user, password and options."""
    head, _, rest = url.partition("://")
    place = rest.partition("?")[0]
    return f"{head}://{place.rpartition('@')[2]}" if rest else head.rpartition("@")[2]


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise SettingError(f"store URL is none; use {_FORMS}") from error


def _server(parts: SplitResult, environ: Mapping[str, str]) -> ServerUrl:
    secure = parts.scheme == "clickhouses"
    if not parts.hostname:
        raise SettingError(f"store URL names no host; use {_FORMS}")
    try:
        port = parts.port or (8443 if secure else 8123)
    except ValueError:
        # Not shown: what stands there may be the beginning of a password with a bare "/".
        raise SettingError(
            f"store URL of host {parts.hostname!r}: the port is no number from 1 to 65535; {_ESCAPES}"
        ) from None
    database = unquote(parts.path).strip("/") or DEFAULT_DATABASE
    if not _NAME.match(database) or parts.fragment:
        raise SettingError(
            f"store URL of host {parts.hostname!r}: a database's name is letters, digits and _; {_ESCAPES}"
        )
    options, settings = _spread(parse_qsl(parts.query, keep_blank_values=True), secure=secure)
    has_token = any(name == "access_token" for name, _ in options)
    return ServerUrl(
        host=parts.hostname,
        port=port,
        user="" if has_token else unquote(parts.username or "") or environ.get(USER_VARIABLE) or "default",
        password="" if has_token else unquote(parts.password or "") or _given_password(environ),
        database=database,
        secure=secure,
        options=options,
        settings=settings,
    )


def _spread(
    query: Sequence[tuple[str, str]], *, secure: bool
) -> tuple[tuple[tuple[str, str | bool], ...], tuple[tuple[str, str], ...]]:
    """Return what the client is to know, and what the server is."""
    options: list[tuple[str, str | bool]] = []
    settings: list[tuple[str, str]] = []
    for name, value in query:
        if not _NAME.match(name):
            raise SettingError(f"store URL: behind the '?' stand option=value, joined by '&'; {_ESCAPES}")
        if name in _ELSEWHERE:
            raise SettingError(
                f"store URL: {name} is no option; user, password, host and database stand before the '?'"
            )
        if name in _FILES and not (value == "certifi" and name == "ca_cert"):
            _check_file(name, value)
        if (name in _FILES or name in {"verify", "server_host_name"}) and not secure:
            raise SettingError(f"store URL: {name} means something over TLS only; use clickhouses://")
        if name in _OPTIONS:
            options.append((name, _TRUTH.get(value.lower(), value)))
        else:
            settings.append((name, value))
    return tuple(options), tuple(settings)


def _check_file(name: str, value: str) -> None:
    try:
        Path(value).open("rb").close()
    except OSError as error:
        raise SettingError(f"store URL: {name}={value} can't be read: {error.strerror}") from error


def _given_password(environ: Mapping[str, str]) -> str:
    return read_secret(environ, PASSWORD_VARIABLE, PASSWORD_FILE_VARIABLE) or ""


def read_secret(environ: Mapping[str, str], variable: str, file_variable: str) -> str | None:
    """Return a secret that a variable holds, or the file that another one names; None without either.

    A newline at the file's end is none of it.

    Raises:
        SettingError: both are set, or the file can't be read or is empty.
    """
    value, path = environ.get(variable), environ.get(file_variable)
    if value and path:
        raise SettingError(f"{variable} and {file_variable} are both set; set one of them")
    if not path:
        return value or None
    try:
        text = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingError(f"{file_variable}={path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"{file_variable}={path} is no text in UTF-8") from error
    if not text:
        raise SettingError(f"{file_variable}={path} is empty")
    return text
