"""Compressed bodies: read in each encoding, and never taken apart beyond a bound."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import lz4.frame
import pytest

from driftline.embedded.encodings import TooLargeError, decoded

try:
    from compression import zstd
except ImportError:
    from backports import zstd

LIMIT = 1 << 20
PACK = {"gzip": gzip.compress, "deflate": zlib.compress, "lz4": lz4.frame.compress, "zstd": zstd.compress}


@pytest.mark.parametrize("encoding", PACK)
def test_a_body_up_to_the_limit_is_read(encoding):
    body = bytes(range(256)) * (LIMIT // 256)
    assert decoded(PACK[encoding](body), encoding.upper(), limit=LIMIT) == body


@pytest.mark.parametrize("encoding", PACK)
def test_a_body_beyond_the_limit_is_refused_before_it_takes_the_memory(encoding):
    packed = PACK[encoding](bytes(200 * LIMIT))
    tracemalloc.start()
    with pytest.raises(TooLargeError, match="more than 1,048,576 bytes"):
        decoded(packed, encoding, limit=LIMIT)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * LIMIT


@pytest.mark.parametrize("encoding", PACK)
def test_a_body_that_is_cut_off_or_none_is_an_error(encoding):
    for body in (PACK[encoding](b"x" * 5000)[:-6], b"", b"garbage"):
        with pytest.raises(ValueError, match="not in its Content-Encoding"):
            decoded(body, encoding, limit=LIMIT)


def test_an_encoding_that_nobody_knows_is_reported_with_those_that_are_known():
    with pytest.raises(ValueError, match="'br' is not known; use one of gzip, deflate, lz4, zstd"):
        decoded(b"", "br", limit=LIMIT)
    assert decoded(b"plain", "identity", limit=LIMIT) == b"plain"


@pytest.mark.parametrize("encoding", PACK)
def test_what_stands_behind_a_body_is_not_passed_over(encoding):
    """A body of two parts, as gzip allows, would lose the second one, and its rows."""
    part = PACK[encoding](b"x" * 5000)
    for behind in (part, b"garbage"):
        with pytest.raises(ValueError, match=f"{len(behind)} bytes are left over"):
            decoded(part + behind, encoding, limit=LIMIT)
