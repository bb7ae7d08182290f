"""A damaged log's pages, one by one, without SQLite: whatever is damaged, the rest is read.

A page says by itself what it holds, so no header, no schema and no table's root is needed: every image of
every page is looked through, of the file and of its WAL. See sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PAGE_BYTES: Final = 8_192
"""Size of a page in every log. Larger ones append faster, but a small append writes whole pages."""

_FILE_HEADER = 100
_WAL_HEADER, _FRAME_HEADER = 32, 24
_FRAME = _FRAME_HEADER + PAGE_BYTES
_LEAVES = {0x0D: PAGE_BYTES - 35, 0x0A: (PAGE_BYTES - 12) * 64 // 255 - 23}.get
"""How much of a cell stands in the page itself at most, by the kind of a leaf: a table's, or an index's."""

_TABLE_LEAF = 0x0D
_LEAST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)

Column = int | float | str | bytes | None


class Pages:
    """The pages of a log's file and of its WAL, as they stand on the disk.

    Args:
        path: of the file; neither it nor its WAL need be there.
    """

    def __init__(self, path: Path) -> None:
        wal = wal_of(path)
        self._file = path.open("rb") if path.exists() else None
        self._size = 0 if self._file is None else os.fstat(self._file.fileno()).st_size
        self._wal = wal.open("rb") if wal.exists() else None
        self._frames = [] if self._wal is None else list(_committed(self._wal))
        self._newest = dict(self._frames)

    def rows(self) -> Iterator[tuple[int | None, Sequence[Column]]]:
        """Yield rowid and columns of every row in a leaf; those of an index have no rowid.

        A row comes once for each image of its page: the file's first, then those of the WAL, the newest last.
        """
        for start, image in self._images():
            yield from _leaf(start, image, self._page)

    def close(self) -> None:
        """Close the files. That lets go of all locks that this process has on them: see fcntl(2)."""
        for opened in (self._file, self._wal):
            if opened is not None:
                opened.close()

    def _images(self) -> Iterator[tuple[int, bytes]]:
        """Yield where each page begins, behind the file's header, and the page."""
        number = 1
        # Not as many as the header says, which may be wrong.
        while image := self._in_file(number):
            yield (_FILE_HEADER if number == 1 else 0), image
            number += 1
        for number, place in self._frames:
            yield (_FILE_HEADER if number == 1 else 0), self._in_wal(place)

    def _page(self, number: int) -> bytes:
        return self._in_wal(self._newest[number]) if number in self._newest else self._in_file(number)

    def _in_file(self, number: int) -> bytes:
        place = (number - 1) * PAGE_BYTES
        return _read(self._file, place, PAGE_BYTES) if 0 <= place < self._size else b""

    def _in_wal(self, place: int) -> bytes:
        return _read(self._wal, place, PAGE_BYTES)


def wal_of(path: Path) -> Path:
    """Return where a file's WAL is."""
    return path.with_name(f"{path.name}-wal")


def garbled_frame(path: Path, valid_frames: int) -> tuple[bytes, int] | None:
    """Return a WAL's header and which frame is garbled, if a transaction ends there or behind it.

    SQLite stops to read there, and says nothing of what stands behind. Behind a torn end stands nothing.

    Args:
        path: of the file.
        valid_frames: up to which one SQLite reads; none that follows is taken for valid without a look.
    """
    try:
        wal = wal_of(path).open("rb")
    except OSError:
        return None
    with wal:
        last = max((place for _, place in _committed(wal)), default=-1)
        count = (last - _WAL_HEADER) // _FRAME + 1 if last >= 0 else 0
        header = _read(wal, 0, _WAL_HEADER)
        if count and _checksum(header[:24], header, (0, 0)) != struct.unpack(">II", header[24:]):
            return header, 0
        if count and header[16:24] != _read(wal, last - _FRAME_HEADER + 8, 8):
            return None  # A round has just begun: its header is there, and the frames are of the one before.
        for index in range(valid_frames, count):
            place = _WAL_HEADER + index * _FRAME
            content = _read(wal, place, 8) + _read(wal, place + _FRAME_HEADER, PAGE_BYTES)
            if _checksum(content, header, _stored(wal, index - 1)) != _stored(wal, index):
                return header, index
    return None


def _stored(wal: IO[bytes], index: int) -> tuple[int, int]:
    """Return the checksum in a frame's header; before the first frame, that in the WAL's."""
    place = _WAL_HEADER - 8 if index < 0 else _WAL_HEADER + index * _FRAME + 16
    first, second = struct.unpack(">II", _read(wal, place, 8))
    return first, second


def _checksum(data: bytes, header: bytes, seed: tuple[int, int]) -> tuple[int, int]:
    """Return the checksum of the WAL's format; the last bit of its header says in which order bytes stand."""
    order = ">" if header[3] & 1 else "<"
    numbers = struct.unpack(f"{order}{len(data) // 4}I", data)
    first, second = seed
    for place in range(0, len(numbers), 2):
        first = (first + numbers[place] + second) & 0xFFFFFFFF
        second = (second + numbers[place + 1] + first) & 0xFFFFFFFF
    return first, second


def _committed(wal: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Yield number and place of each page in whole frames, up to the last that ends a transaction."""
    size = os.fstat(wal.fileno()).st_size
    frames: list[tuple[int, int, tuple[int, int], int]] = []
    for place in range(_WAL_HEADER, size - _FRAME + 1, _FRAME):
        number, pages, *salts = struct.unpack(">IIII", _read(wal, place, 16))
        frames.append((number, pages, (salts[0], salts[1]), place + _FRAME_HEADER))
    if not frames:
        return
    # Frames of earlier rounds have other salts. Should the header be garbled, most frames are right.
    in_header = struct.unpack(">II", _read(wal, 16, 8))
    salts_of = Counter(found for _, _, found, _ in frames)
    ours, times = ((in_header[0], in_header[1]), 2) if in_header in salts_of else salts_of.most_common(1)[0]
    last = max((place for _, pages, found, place in frames if pages and found == ours), default=-1)
    if times > 1:  # Else it is mere garbage.
        yield from ((number, place) for number, _, found, place in frames if found == ours and place <= last)


def _read(file: IO[bytes] | None, place: int, size: int) -> bytes:
    if file is None:
        return b""
    file.seek(place)
    return file.read(size)


def _leaf(
    start: int, image: bytes, page: Callable[[int], bytes]
) -> Iterator[tuple[int | None, Sequence[Column]]]:
    most_local = _LEAVES(image[start]) if len(image) == PAGE_BYTES else None
    if most_local is None:
        return
    is_table = image[start] == _TABLE_LEAF
    (count,) = struct.unpack_from(">H", image, start + 3)
    for index in range(min(count, (PAGE_BYTES - start - 8) // 2)):
        (at,) = struct.unpack_from(">H", image, start + 8 + 2 * index)
        try:
            size, at = _varint(image, at)
            rowid, at = _varint(image, at) if is_table else (None, at)
            yield rowid, _columns(_payload(image, at, size, most_local, page))
        except (IndexError, ValueError, struct.error):
            continue


def _payload(image: bytes, at: int, size: int, most_local: int, page: Callable[[int], bytes]) -> bytes:
    """Return what a cell holds, which goes on in other pages where it is large."""
    if size <= most_local:
        return _exactly(image[at : at + size], size)
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE_BYTES - 4)
    local = local if local <= most_local else _LEAST_LOCAL
    parts, left = [_exactly(image[at : at + local], local)], size - local
    (number,) = struct.unpack_from(">I", image, at + local)
    seen: set[int] = set()
    while left > 0:
        if number in seen:
            raise ValueError("it goes round in circles")
        seen.add(number)
        image = _exactly(page(number), PAGE_BYTES)
        (number,) = struct.unpack_from(">I", image)
        parts.append(image[4 : 4 + left])
        left -= len(parts[-1])
    return b"".join(parts)


def _columns(payload: bytes) -> Sequence[Column]:
    end, at = _varint(payload, 0)
    kinds, columns, place = [], [], end
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    for kind in kinds:
        column, size = _column(payload, place, kind)
        columns.append(column)
        place += size
    return columns


def _column(payload: bytes, at: int, kind: int) -> tuple[Column, int]:
    if kind >= 12:
        size = (kind - 12) // 2
        content = _exactly(payload[at : at + size], size)
        return (content.decode() if kind % 2 else content), size
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], 8
    if kind in {8, 9}:
        return kind - 8, 0
    size = _INTEGER_BYTES[kind]
    content = _exactly(payload[at : at + size], size)
    return (int.from_bytes(content, "big", signed=True) if kind else None), size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    value = value << 8 | data[at + 8]
    return (value - (1 << 64) if value >> 63 else value), at + 9


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError("there is less than it says")
    return data
