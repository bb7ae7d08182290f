"""Request bodies as HTTP clients compress them. The codecs are those that clickhouse-connect brings."""

from __future__ import annotations

import email
import importlib
import sys
import zlib
from typing import Any

_ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
_CODECS = {"lz4": "lz4.frame", "zstd": _ZSTD}
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


def decoded(body: bytes, encoding: str) -> bytes:
    """Return a body as it was before it was compressed.

    Args:
        body: as received.
        encoding: the request's Content-Encoding; empty: there is none.

    Raises:
        ValueError: the encoding is not known, or the body is not in it.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    try:
        if name in {"gzip", "deflate"}:
            return zlib.decompress(body, _GZIP_OR_ZLIB)
        if name in _CODECS:
            codec: Any = importlib.import_module(_CODECS[name])
            return bytes(codec.decompress(body))
    except Exception as error:  # Each codec has an error of its own.
        raise ValueError(f"Code: 354. The body is not in its Content-Encoding {name!r}: {error}") from error
    raise ValueError(f"Code: 89. Content-Encoding {encoding!r} is not known; use gzip, deflate, lz4 or zstd")


def form_fields(body: bytes, content_type: str) -> dict[str, str]:
    """Return the fields of a form, multipart/form-data: so clients send parameters that are long.

    Raises:
        ValueError: a field is no text in UTF-8.
    """
    form = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    fields = {}
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content.decode()
    return fields
