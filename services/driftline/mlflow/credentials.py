"""Who asks an MLflow: as MLflow's own variables say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit, urlunsplit

from driftline.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN: Final = "MLFLOW_TRACKING_TOKEN"  # noqa: S105  a variable's name
USERNAME: Final = "MLFLOW_TRACKING_USERNAME"
PASSWORD: Final = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105  a variable's name
CA_FILE: Final = "MLFLOW_TRACKING_SERVER_CERT_PATH"
INSECURE: Final = "MLFLOW_TRACKING_INSECURE_TLS"


@dataclass(frozen=True, slots=True)
class Server:
    """A tracking server, and who asks it.

    Args:
        url: where it is, without secrets and without a slash at the end.
        user: with a password; empty: none.
        password: of the user.
        token: instead of both; empty: none.
        ca_file: certificates to trust besides; empty: those that the system trusts.
        is_insecure: whether any certificate will do.
    """

    url: str
    user: str = ""
    password: str = ""
    token: str = ""
    ca_file: str = ""
    is_insecure: bool = False

    @classmethod
    def from_environ(cls, url: str, environ: Mapping[str, str]) -> Self:
        """Return a server as its URL and MLflow's variables name it.

        Raises:
            SettingError: the URL can't be one of a tracking server, or a token can't be one.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SettingError(f"{url!r} is no address of an MLflow: {error}") from None
        if parts.scheme not in {"http", "https"} or not host:
            raise SettingError(
                f"{without_secret(url)!r} is no address of an MLflow: give http://HOST:PORT. A store of "
                "files or of SQLite is served by MLflow itself: mlflow server --backend-store-uri ..."
            )
        netloc = f"[{host}]" if ":" in host else host
        netloc += "" if port is None else f":{port}"
        token = environ.get(TOKEN, "").strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise SettingError(f"{TOKEN} holds characters that no token has")
        return cls(
            url=urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", "")),
            user=parts.username or environ.get(USERNAME, ""),
            password=parts.password or environ.get(PASSWORD, ""),
            token=token,
            ca_file=environ.get(CA_FILE, ""),
            is_insecure=environ.get(INSECURE, "").lower() in {"true", "1"},
        )


def without_secret(url: str) -> str:
    """Return an address without its user and password."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else url
