"""Bodies of requests: bounded one by one and together, and unpacked no further than they may be."""

from __future__ import annotations

import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from driftline.errors import DriftlineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

MAX_BODY_BYTES: Final = 8 << 20
"""As it is sent."""

MAX_UNPACKED_BYTES: Final = 16 << 20
"""What it may be once it is unpacked."""

MAX_HELD_BYTES: Final = 64 << 20
"""What all bodies that are being read and worked on may be together, each as large as it may become."""

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_ENCODINGS = frozenset({"gzip", "deflate"})


class BodyError(DriftlineError):
    """A body can't be taken.

    Args:
        status: of the answer.
        message: what is wrong, and what to do.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Room:
    """Memory for bodies, for one event loop: each takes what it may need, and gives it back."""

    def __init__(self, most: int = MAX_HELD_BYTES) -> None:
        self._left = most

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Yield a request's body, unpacked, and hold its room meanwhile.

        Raises:
            BodyError: it is too large, is packed in an unknown or wrong way, or there is no room now.
        """
        encoding = request.headers.get("content-encoding", "").strip().lower()
        if encoding not in {*_ENCODINGS, "", "identity"}:
            raise BodyError(415, f"Content-Encoding {encoding[:40]!r} is not known; use gzip, or none")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            raise _too_large()
        wanted = (
            MAX_UNPACKED_BYTES
            if encoding in _ENCODINGS
            else min(int(declared) if declared.isdecimal() else MAX_BODY_BYTES, MAX_BODY_BYTES)
        )
        if wanted > self._left:
            raise BodyError(503, "too many requests at once; try again in a second")
        self._left -= wanted
        try:
            received = await _received(request)
            yield unpacked(received) if encoding in _ENCODINGS else received
        finally:
            self._left += wanted


async def _received(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def unpacked(body: bytes) -> bytes:
    """Return what is packed by gzip, or by zlib.

    Raises:
        BodyError: it is not, or holds more than it may; no more is unpacked.
    """
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = unpacking.decompress(body, MAX_UNPACKED_BYTES + 1)
    except zlib.error as error:
        raise BodyError(400, f"the body is not in its Content-Encoding: {error}") from error
    if len(plain) > MAX_UNPACKED_BYTES:
        raise BodyError(413, f"unpacked, a body has at most {MAX_UNPACKED_BYTES:,} bytes; send less at once")
    if not unpacking.eof or unpacking.unused_data:
        raise BodyError(400, "the body is not in its Content-Encoding: it is cut off, or has several members")
    return plain


def _too_large() -> BodyError:
    return BodyError(413, f"a body has at most {MAX_BODY_BYTES:,} bytes; send less at once, or gzip it")
