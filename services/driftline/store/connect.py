"""Reaching a store behind ClickHouse's HTTP interface, or an engine in this process."""

from __future__ import annotations

import abc
import ssl
from typing import TYPE_CHECKING, Any, Literal, Self

import clickhouse_connect
import urllib3
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, ProgrammingError
from clickhouse_connect.driver.httputil import default_pool_manager
from urllib3.util.ssl_match_hostname import CertificateError

from driftline.errors import SettingError, StoreAwayError, StoreError
from driftline.store.connection import Connection, root_cause
from driftline.store.url import (
    PASSWORD_FILE_VARIABLE,
    USER_VARIABLE,
    ServerUrl,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

# A client is one thread's, and its queries are distinguished by the server.
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


Use = Literal["make", "write", "read"]
"""What a store is opened for; each may also do what stands behind it."""


class Store(abc.ABC):
    """An open store. Every thread asks for a connection of its own and closes it.

    Attributes:
        database: the database that holds driftline's tables.
    """

    database: str

    @abc.abstractmethod
    def connect(self, *, patient: bool = False) -> Connection:
        """Return a new connection, for one thread. The caller closes it.

        Args:
            patient: whether its queries can wait, so that landing need not, where both share a process.

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

    Attributes:
        url: where it is.
    """

    def __init__(self, url: ServerUrl, *, is_owner: bool = False) -> None:
        self.url = url
        self._is_owner = is_owner
        self.database = url.database

    def connect(self, *, patient: bool = False) -> Connection:  # noqa: ARG002  a server shares no process
        """Return a new connection. Blocks for it. Asks for nothing that takes a privilege.

        Raises:
            SettingError: an option or a setting is wrong.
            StoreAwayError: the store does not answer.
            StoreError: it refuses the user, or its certificate is not to be trusted.
        """
        url = self.url
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
        return Connection(client, self.database)

    def close(self) -> None:
        """Nothing is held between connections."""


def _unreachable(url: ServerUrl, error: Exception) -> SettingError | StoreError:
    """Say in one sentence why there is no connection, without the URL: it may hold a password."""
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
    how = "does not answer" if code is None else "refuses to be asked"
    return StoreAwayError(f"the store at {where} {how}: {cause}")


def open_engine(folder: Path, options: Mapping[str, Any], *, database: str) -> Connection:
    """Return a connection to the engine in this process, which starts with the first one.

    Args:
        folder: the engine's.
        options: it starts with.
        database: that holds driftline's tables; it need not be there yet.

    Raises:
        StoreError: the engine can't be opened.
    """
    try:
        client = clickhouse_connect.get_client(interface="chdb", path=str(folder), chdb_options=dict(options))
    except (ClickHouseError, RuntimeError, MemoryError) as error:
        raise StoreError(f"the embedded store in {folder} can't be opened: {first_line(error)}") from error
    return Connection(client, database)


def no_store(where: str) -> str:
    """Return the message for whoever asks a store that is not there."""
    return (
        f"there is no store at {where}: `driftline up` and `driftline migrate` make one; --store or "
        "DRIFTLINE_STORE say where one is"
    )


def first_line(error: BaseException) -> str:
    """Return what an error says, in a line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
