"""Request bodies as HTTP clients compress them. The codecs are those that clickhouse-connect brings."""

from __future__ import annotations

import email
import importlib
import sys
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_CODECS: Mapping[str, tuple[str, str, tuple[int, ...]]] = MappingProxyType(
    {
        "gzip": ("zlib", "decompressobj", (_GZIP_OR_ZLIB,)),
        "deflate": ("zlib", "decompressobj", (_GZIP_OR_ZLIB,)),
        "lz4": ("lz4.frame", "LZ4FrameDecompressor", ()),
        "zstd": (_ZSTD, "ZstdDecompressor", ()),
    }
)
"""Where each has what takes a body apart piece by piece."""


class TooLargeError(ValueError):
    """A body is larger than it may be."""


def decoded(body: bytes, encoding: str, *, limit: int) -> bytes:
    """Return a body as it was before it was compressed.

    Args:
        body: as received.
        encoding: the request's Content-Encoding; empty: there is none.
        limit: how large it may have been, bytes; no more is ever taken apart.

    Raises:
        TooLargeError: it was larger.
        ValueError: the encoding is not known, or the body is not in it.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    if name not in _CODECS:
        known = ", ".join(_CODECS)
        raise ValueError(f"Code: 89. Content-Encoding {encoding!r} is not known; use one of {known}")
    module, kind, arguments = _CODECS[name]
    try:
        codec: Any = getattr(importlib.import_module(module), kind)(*arguments)
        plain = bytes(codec.decompress(body, limit + 1))
    except Exception as error:  # Each codec has an error of its own.
        raise ValueError(f"Code: 354. The body is not in its Content-Encoding {name!r}: {error}") from error
    if len(plain) > limit:
        raise TooLargeError(f"Code: 354. The body holds more than {limit:,} bytes")
    if not codec.eof:
        raise ValueError(f"Code: 354. The body is not in its Content-Encoding {name!r}: its end is missing")
    if codec.unused_data:  # As of several members: dropped in silence, rows would be lost.
        left = f"{len(codec.unused_data)} bytes are left over"
        raise ValueError(f"Code: 354. Behind the body in its Content-Encoding {name!r} {left}")
    return plain


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
