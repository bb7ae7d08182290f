"""Opening a store: an embedded one as its owner, or through whoever owns it, or a server's."""

from __future__ import annotations

import abc
import fcntl
import json
import os
import secrets
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import clickhouse_connect
import urllib3
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, ProgrammingError
from clickhouse_connect.driver.httputil import default_pool_manager
from urllib3.util.ssl_match_hostname import CertificateError

from driftline.errors import SettingError, StoreAwayError, StoreBusyError, StoreError
from driftline.store.url import (
    PASSWORD_FILE_VARIABLE,
    USER_VARIABLE,
    EmbeddedUrl,
    ServerUrl,
    parse_store_url,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from clickhouse_connect.driver.client import Client

    from driftline.store.gateway import Gateway

_OWNER_FILE = "owner.json"
_LOCK_FILE = "owner.lock"
_ENGINE_SETTINGS = "config.xml"
_PATIENCE_S = 10.0
# The engine starts with two threads: a deletion that finds both merging looks again a second later.
_ENGINE_OPTIONS: Mapping[str, Any] = {"background_pool_size": 8}
# A client is one thread's, and its queries are told apart by the server.
_DEFAULTS: Mapping[str, Any] = {
    "compress": False,
    "autogenerate_session_id": False,
    "autogenerate_query_id": False,
}
_REFUSED_CODES = frozenset(
    {
        192,  # UNKNOWN_USER
        193,  # WRONG_PASSWORD
        194,  # REQUIRED_PASSWORD
        516,  # AUTHENTICATION_FAILED
    }
)


class Store(abc.ABC):
    """An open store. Every thread asks for a client of its own and closes it.

    Attributes:
        database: the database that holds driftline's tables; clients use it.
    """

    database: str

    @abc.abstractmethod
    def client(self) -> Client:
        """Return a new client, for one thread. The caller closes it.

        Raises:
            StoreError: the store does not answer.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of the store. Blocks until requests under way are answered."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ServerStore(Store):
    """A store behind ClickHouse's HTTP interface: a server's, or an owner's gateway.

    Args:
        url: where it is.
        is_owner: whether it is an owner's gateway on this host. What is asked of it, and its token, never
            goes through a proxy that the environment names.
    """

    def __init__(self, url: ServerUrl, *, is_owner: bool = False) -> None:
        self._url = url
        self._is_owner = is_owner
        self.database = url.database

    def client(self) -> Client:
        """Return a new client. Blocks for the connection. Asks for nothing that takes a privilege.

        Raises:
            SettingError: an option or a setting is wrong.
            StoreAwayError: the store does not answer.
            StoreError: it refuses the user, or its certificate is not to be trusted.
        """
        url = self._url
        own: dict[str, Any] = {"pool_mgr": default_pool_manager()} if self._is_owner else {}
        try:
            client = clickhouse_connect.get_client(
                interface="https" if url.secure else "http",
                host=url.host,
                port=url.port,
                username=url.user,
                password=url.password,
                settings=dict(url.settings),
                **{**_DEFAULTS, **dict(url.options), **own},
            )
        except (ClickHouseError, OSError, ValueError) as error:
            raise _unreachable(url, error) from error
        client.database = self.database
        return client

    def close(self) -> None:
        """Nothing is held between clients."""


def _unreachable(url: ServerUrl, error: Exception) -> SettingError | StoreError:
    """Say in one sentence why there is no client, without the URL: it may hold a password."""
    where = f"{url.host}:{url.port}"
    cause = root_cause(error)
    if isinstance(cause, urllib3.exceptions.SSLError):
        refused = cause.args[0] if cause.args else cause
        if isinstance(refused, (ssl.SSLCertVerificationError, CertificateError)):
            why = getattr(refused, "verify_message", refused)
            return StoreError(
                f"the store at {where} shows a certificate that is not to be trusted: {why}; name its "
                "authority (ca_cert=/path.pem) or the host in it (server_host_name) in the store's URL"
            )
        return StoreError(f"the store at {where} and this client don't agree on TLS: {refused}")
    code = error.code if isinstance(error, DatabaseError) else None
    if code in _REFUSED_CODES:
        return StoreError(
            f"the store at {where} refuses user {url.user!r}: unknown there, or the password is wrong "
            f"(code {code}); see {USER_VARIABLE} and {PASSWORD_FILE_VARIABLE}"
        )
    if isinstance(error, (ProgrammingError, ValueError, OSError)):
        return SettingError(f"the store at {where} can't be asked with these options: {cause}")
    said = "does not answer" if code is None else "refuses to be asked"
    return StoreAwayError(f"the store at {where} {said}: {cause}")


class OwnedStore(Store):
    """An embedded store that this process owns, and serves to others on loopback."""

    def __init__(self, url: EmbeddedUrl, lock: IO[bytes]) -> None:
        from driftline.store.gateway import Gateway  # noqa: PLC0415  the engine is loaded by its owner only

        self.database = url.database
        self._lock = lock
        self._owner_file = url.folder / _OWNER_FILE
        self._engine_folder = url.folder / "engine"
        self._clients_lock = threading.Lock()
        self._keeper = self._open()
        self._keeper.command(f"CREATE DATABASE IF NOT EXISTS {self.database}", use_database=False)
        token = secrets.token_urlsafe(32)
        self._gateway: Gateway = Gateway(self._engine_folder, token=token)
        self._gateway.start()
        owner = {
            "host": "127.0.0.1",
            "port": self._gateway.port,
            "user": "driftline",
            "token": token,
            "process_id": os.getpid(),
        }
        _write_private(self._owner_file, json.dumps(owner))

    def _open(self) -> Client:
        try:
            return clickhouse_connect.get_client(
                interface="chdb", path=str(self._engine_folder), chdb_options=_ENGINE_OPTIONS
            )
        except ClickHouseError as error:
            raise StoreError(
                f"the embedded store in {self._engine_folder} can't be opened: {error}"
            ) from error

    def client(self) -> Client:
        """Return a new client over the engine in this process."""
        with self._clients_lock:
            client = self._open()
        client.database = self.database
        return client

    def close(self) -> None:
        """Stop serving, close the engine, let the next owner in."""
        with suppress(FileNotFoundError):
            self._owner_file.unlink()
        self._gateway.stop()
        self._keeper.close()
        self._lock.close()


class FollowingStore(Store):
    """An embedded store that another process owned when it was opened.

    When that owner is gone, the next client comes from the one after it, which may be this process.
    """

    def __init__(self, url: EmbeddedUrl, owner: ServerStore) -> None:
        self.database = url.database
        self._url = url
        self._current: ServerStore | OwnedStore = owner
        self._lock = threading.Lock()

    def client(self) -> Client:
        """Return a new client. Blocks while the store goes from one owner to the next."""
        with self._lock:
            try:
                return self._current.client()
            except (StoreError, ClickHouseError):
                if isinstance(self._current, OwnedStore):
                    raise
                self._current = _reach(self._url, patience_s=_PATIENCE_S)
                return self._current.client()

    def close(self) -> None:
        """Let go of the store, if this process has come to own it."""
        self._current.close()


def root_cause(error: BaseException) -> BaseException:
    """Return what an error comes from in the end: drivers wrap a refused connection many times."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def open_store(
    url: str, *, environ: Mapping[str, str] | None = None, patience_s: float = _PATIENCE_S
) -> Store:
    """Open the store at a URL.

    An embedded store has one owner. Where nobody owns it, this process becomes the owner; otherwise the
    store is reached through the owner, and through whoever owns it later. Blocks for up to ``patience_s``
    while the owner comes up or goes.

    Args:
        url: where it is.
        environ: where a server's user and password come from that the URL leaves out; the process's own
            unless given.
        patience_s: for how long to wait for an owner.

    Raises:
        SettingError: the URL has no known form.
        StoreBusyError: another process owns the store and does not answer.
        StoreError: the store can't be opened.
    """
    parsed = parse_store_url(url, environ)
    if isinstance(parsed, ServerUrl):
        return ServerStore(parsed)
    reached = _reach(parsed, patience_s=patience_s)
    return FollowingStore(parsed, reached) if isinstance(reached, ServerStore) else reached


def _reach(parsed: EmbeddedUrl, *, patience_s: float) -> ServerStore | OwnedStore:
    """Become the owner of an embedded store, or find who is."""
    parsed.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + patience_s
    while True:
        lock = (parsed.folder / _LOCK_FILE).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return _own(parsed, lock)
        through_owner = _ask_owner(parsed)
        if through_owner is not None:
            return through_owner
        if time.monotonic() > deadline:
            raise StoreBusyError(
                f"the embedded store in {parsed.folder} is owned by another process "
                f"({_owner_process(parsed)}) that does not answer; stop it, or wait until it is up"
            )
        time.sleep(0.1)


def _own(url: EmbeddedUrl, lock: IO[bytes]) -> OwnedStore:
    try:
        _check_working_folder()
        return OwnedStore(url, lock)
    except BaseException:
        lock.close()
        raise


def _check_working_folder() -> None:
    """Refuse a file that the engine would take for its settings, unasked, whoever wrote it."""
    if os.path.lexists(_ENGINE_SETTINGS):
        raise StoreError(
            f"the embedded engine would take {Path.cwd() / _ENGINE_SETTINGS} for its own settings; start "
            "driftline in another folder"
        )


def _ask_owner(url: EmbeddedUrl) -> ServerStore | None:
    owner = _read_owner(url)
    if owner is None:
        return None
    store = ServerStore(
        ServerUrl(
            host=str(owner["host"]),
            port=int(str(owner["port"])),
            user=str(owner["user"]),
            password=str(owner["token"]),
            database=url.database,
        ),
        is_owner=True,
    )
    try:
        store.client().close()
    except StoreError:
        return None
    return store


def _read_owner(url: EmbeddedUrl) -> dict[str, object] | None:
    try:
        owner = json.loads((url.folder / _OWNER_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return owner if isinstance(owner, dict) else None


def _owner_process(url: EmbeddedUrl) -> str:
    owner = _read_owner(url)
    return f"process {owner['process_id']}" if owner else "not yet up"


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its user can read, at once."""
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    draft.replace(path)
