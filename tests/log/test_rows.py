"""What may stand in a local log twice says so, and a WAL that is about to begin anew is no damage."""

from __future__ import annotations

import shutil
import struct

from driftline.log import Record, open_log
from driftline.log.database import FILE_NAME
from driftline.log.pages import garbled_frame, wal_of

RECORDS = [Record("t", b"k", b"1"), Record("t", b"k", b"2", may_repeat=True), Record("t", b"", b"3")]


def test_what_may_repeat_says_so_and_keeps_its_key(tmp_path):
    with open_log((tmp_path / "log").as_uri()) as log:
        log.writer().append(RECORDS)
        batch = log.reader("g", ["t"]).fetch("t")
    assert (batch.may_repeat, batch.keys, batch.values) == ({1}, [b"k", b"k", b""], [b"1", b"2", b"3"])


def test_a_wal_whose_next_round_has_just_begun_is_not_garbled(tmp_path):
    """SQLite writes the header of a round, has it synced, and only then its first frame: that may take."""
    path = tmp_path / "copy" / FILE_NAME
    with open_log((tmp_path / "log").as_uri()) as log:
        for _ in range(10):
            log.writer().append(RECORDS)
        shutil.copytree(tmp_path / "log", path.parent)
    wal = wal_of(path)
    content = wal.read_bytes()
    assert garbled_frame(path, 0) is None
    wal.write_bytes(header_of_another_round(content[:24]) + content[32:])
    assert garbled_frame(path, 0) is None
    wal.write_bytes(content[:24] + bytes(8) + content[32:])
    assert garbled_frame(path, 0) is not None


def header_of_another_round(begin: bytes) -> bytes:
    """Return a WAL's header with other salts and its checksum."""
    salted = begin[:16] + b"a salt!!"
    first = second = 0
    for one, other in struct.iter_unpack(f"{'>' if begin[3] & 1 else '<'}II", salted):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return salted + struct.pack(">II", first, second)
