"""ClickHouse's HTTP interface over an embedded store, on loopback.

The engine allows one process. Its owner serves the others here, so that clickhouse-connect, curl and any
other ClickHouse tool work while it runs. Each request has an engine handle of its own, so that settings and
parameters never leak from one to another. Guarded by tokens, which stand for the password. What a request may
take is bounded: it runs in the process that lands.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import tempfile
from typing import TYPE_CHECKING, Any

import chdb
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from driftline.embedded.confinement import check_sql
from driftline.embedded.encodings import TooLargeError, decoded, form_fields
from driftline.serving import WebServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.requests import Request

# What the HTTP interface itself takes from the URL; everything else there is a setting of the engine.
_TRANSPORT = frozenset(
    "query database user password default_format query_id session_id session_timeout session_check compress "
    "decompress quota_key role wait_end_of_query buffer_size client_protocol_version enable_http_compression "
    "send_progress_in_http_headers http_headers_progress_interval_ms".split()
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# An insert whose data follows it. Table and columns are spelled out, so that FORMAT inside a value is none.
_INSERT_DATA = re.compile(
    rb"""\s*(?P<head>INSERT\s+INTO\s+(?:TABLE\s+)?(?:`[^`]*`|"[^"]*"|[\w.])+\s*
    (?:\((?:`[^`]*`|[^()`])*\)\s*)?)
    (?P<settings>SETTINGS\s(?:'[^']*'|[^'])*?)?\bFORMAT\s+(?P<format>\w+)[ \t]*(?:\r?\n|\Z)""",
    re.IGNORECASE | re.VERBOSE,
)
MAX_BODY_BYTES = 64 << 20
"""Four times what a lander sends at once."""

_ERROR_CODE = re.compile(r"Code: (\d+)")


class Gateway:
    """Serves one engine folder, which this process must have open, on a port of 127.0.0.1.

    Args:
        engine_folder: the engine's. What is inserted lies for a moment in a folder beside it.
        token: of those who may do what the engine may.
        reader_token: of those who may only read.
        port: 0: a free one.
    """

    def __init__(self, engine_folder: Path, token: str, reader_token: str, *, port: int = 0) -> None:
        self._folder = os.path.realpath(engine_folder)
        self._inserts = inserts_folder(engine_folder)
        self._tokens = token.encode(), reader_token.encode()
        app = Starlette(
            routes=[
                Route("/", self._answer, methods=["GET", "POST"]),
                Route("/ping", _ping, methods=["GET"]),
            ]
        )
        self._server = WebServer(app, "127.0.0.1", port, name="store-gateway")
        self.port = self._server.port

    def start(self) -> None:
        """Begin to serve; returns when requests are answered."""
        self._server.start()

    def stop(self) -> None:
        """Answer what is under way, then stop. Blocks."""
        self._server.stop()

    async def _answer(self, request: Request) -> Response:
        token, reader_token = (hmac.compare_digest(_given_token(request), one) for one in self._tokens)
        if not (token or reader_token):
            return _refusal(403, 516, "Authentication failed: the token is in owner.json beside the store")
        params, content_type = dict(request.query_params), request.headers.get("content-type", "")
        try:
            received = await _received(request)
            body = decoded(received, request.headers.get("content-encoding", ""), limit=MAX_BODY_BYTES)
            if content_type.startswith("multipart/form-data"):
                params, body = params | form_fields(body, content_type), b""
        except ClientDisconnect:
            return _refusal(400, 210, "the request ended before its end")
        except ValueError as error:
            status = 413 if isinstance(error, TooLargeError) else 400
            return _refusal(status, _code(str(error)), str(error))
        return await run_in_threadpool(self._execute, params, body, reads=reader_token)

    def _execute(self, params: Mapping[str, str], body: bytes, *, reads: bool) -> Response:
        head = params.get("query", "").encode()
        sql = head + b"\n" + body if head else body
        handle = chdb.connect(self._folder)
        try:
            _prepare(handle, params)
            if reads:
                handle.query("SET readonly = 2")  # Settings may be given, but for this one.
            if insert := _INSERT_DATA.match(sql):
                check_sql(insert[0].decode())
                result = self._insert(handle, insert, sql[insert.end() :])
            else:
                check_sql(sql.decode())
                bound = {name[6:]: value for name, value in params.items() if name.startswith("param_")}
                result = handle.query(
                    sql.decode(), params.get("default_format", "TabSeparated"), params=bound
                )
            return Response(result.bytes() or b"", media_type="application/octet-stream", headers=_headers())
        except (RuntimeError, UnicodeDecodeError, ValueError, OSError, MemoryError) as error:
            return _refusal(500, _code(str(error)), str(error) or type(error).__name__)
        finally:
            handle.close()

    def _insert(self, handle: Any, insert: re.Match[bytes], data: bytes) -> Any:
        with tempfile.NamedTemporaryFile(dir=self._inserts) as file:
            file.write(data)
            file.flush()
            head, settings, kind = ((insert[name] or b"").decode() for name in ("head", "settings", "format"))
            path = file.name.replace("\\", "\\\\").replace("'", "\\'")
            return handle.query(f"{head} FROM INFILE '{path}' {settings} FORMAT {kind}", "TabSeparated")


def inserts_folder(engine_folder: Path) -> Path:
    """Return the folder for what is being inserted; what a process left there that was killed is removed.

    Raises:
        OSError: it can't be made.
    """
    folder = engine_folder.parent / "inserts"
    folder.mkdir(mode=0o700, exist_ok=True)
    for left in folder.iterdir():
        left.unlink()
    return folder


def _given_token(request: Request) -> bytes:
    given = request.headers.get("x-clickhouse-key") or request.query_params.get("password") or ""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(encoded).decode().partition(":")[2]
        except ValueError:
            return b""
    return given.encode()


async def _received(request: Request) -> bytes:
    """Return a body as it was sent.

    Raises:
        TooLargeError: it is larger than it may be.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"Code: 354. The body has more than {MAX_BODY_BYTES:,} bytes")
    return bytes(body)


def _prepare(handle: Any, params: Mapping[str, str]) -> None:
    if database := params.get("database"):
        handle.query("USE {database:Identifier}", params={"database": database})
    for name, value in params.items():
        if name in _TRANSPORT or name.startswith("param_"):
            continue
        if not _NAME.match(name):
            raise ValueError(f"Code: 115. Unknown setting {name!r}")
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        handle.query(f"SET {name} = '{quoted}'")


def _headers() -> dict[str, str]:
    return {"X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Server-Display-Name": "driftline"}


def _code(message: str) -> int:
    found = _ERROR_CODE.search(message)
    return int(found[1]) if found else 1002


def _refusal(status: int, code: int, message: str) -> Response:
    text = message if message.startswith("Code:") else f"Code: {code}. DB::Exception: {message}"
    headers = {**_headers(), "X-ClickHouse-Exception-Code": str(code)}
    return PlainTextResponse(text, status_code=status, headers=headers)


async def _ping(request: Request) -> Response:
    del request
    return PlainTextResponse("Ok.\n")
