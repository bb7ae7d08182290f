"""Where a store is: ``chdb:///folder`` (embedded) or ``clickhouse://user:password@host:8123/database``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from driftline.errors import SettingError

DEFAULT_DATABASE = "driftline"
_FORMS = "chdb:///folder or clickhouse://user:password@host:8123/database (clickhouses:// for TLS)"


@dataclass(frozen=True, slots=True)
class EmbeddedUrl:
    """An embedded store: ClickHouse's engine over one folder of this host."""

    folder: Path
    database: str = DEFAULT_DATABASE


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A ClickHouse server's HTTP interface. The password stays out of ``repr``."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = DEFAULT_DATABASE
    secure: bool = False
    settings: tuple[tuple[str, str], ...] = ()


def parse_store_url(url: str) -> EmbeddedUrl | ServerUrl:
    """Read a store URL.

    Raises:
        SettingError: it has none of the known forms.
    """
    parts = urlsplit(url)
    if parts.scheme == "chdb":
        folder = unquote(parts.path)
        if parts.netloc or not folder.startswith("/") or folder == "/":
            raise SettingError(f"store URL {url!r}: an embedded store is chdb:///absolute/folder")
        return EmbeddedUrl(Path(folder))
    if parts.scheme in {"clickhouse", "clickhouses"}:
        secure = parts.scheme == "clickhouses"
        if not parts.hostname:
            raise SettingError(f"store URL names no host; use {_FORMS}")
        try:
            port = parts.port or (8443 if secure else 8123)
        except ValueError as error:
            raise SettingError(f"store URL of host {parts.hostname!r}: {error}") from error
        return ServerUrl(
            host=parts.hostname,
            port=port,
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or DEFAULT_DATABASE,
            secure=secure,
            settings=tuple(parse_qsl(parts.query)),
        )
    raise SettingError(f"store URL of scheme {parts.scheme!r} is not known; use {_FORMS}")
