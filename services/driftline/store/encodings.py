"""Request bodies as HTTP clients compress them. The codecs are those that clickhouse-connect brings."""

from __future__ import annotations

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
