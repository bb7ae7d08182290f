"""Values online in Redis: one hash for each view and computation, and a field in it for each entity."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from driftline.errors import OnlineError, SettingError
from driftline.features.online.base import OnlineRow, Progress, ViewKey, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Event time and arrival stand first, most significant byte first: so texts of bytes compare as they do.
_HEAD = struct.Struct(">qQ")
# Each row in its turn is compared and written in one step, whoever else writes.
_PUT = """
for i = 1, #ARGV, 2 do
    local old = redis.call('HGET', KEYS[1], ARGV[i])
    local new = ARGV[i + 1]
    if not old or string.sub(new, 1, 16) > string.sub(old, 1, 16) then
        redis.call('HSET', KEYS[1], ARGV[i], new)
    end
end
"""
_PIECE_ROWS = 500
_TIMEOUT_S = 5.0


class RedisOnlineStore:
    """The newest rows in Redis.

    Args:
        url: such as ``redis://host:6379/0``, or ``rediss://`` over TLS.
        prefix: of all keys.

    Raises:
        SettingError: the client is not installed, or the URL is none.
        OnlineError: Redis does not answer.
    """

    def __init__(self, url: str, *, prefix: str = "driftline:features") -> None:
        try:
            import redis  # noqa: PLC0415  only who uses it needs it
        except ImportError as error:
            raise SettingError(
                "Redis needs its client; install it with: pip install 'driftline[features]'"
            ) from error
        self._failures = (redis.RedisError, OSError)
        try:
            self._client: Any = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S)
        except ValueError as error:
            raise SettingError(f"the URL of Redis is none: {error}") from error
        self._prefix = prefix
        with self._errors():
            self._client.ping()
        self._put = self._client.register_script(_PUT)

    def put(self, key: ViewKey, rows: Sequence[OnlineRow]) -> None:
        """See `OnlineStore.put`: row by row, so where the process dies the first ones may be in."""
        with self._errors():
            for start in range(0, len(rows), _PIECE_ROWS):
                arguments: list[bytes] = []
                for row in rows[start : start + _PIECE_ROWS]:
                    head = _HEAD.pack(row.event_us, row.arrival)
                    arguments += [row.entity.encode(), head + pack(row).encode()]
                self._put(keys=[self._rows(key)], args=arguments)

    def get(self, key: ViewKey, entities: Sequence[str]) -> Sequence[OnlineRow | None]:
        """See `OnlineStore.get`: however many, in one question."""
        if not entities:
            return []
        with self._errors():
            found = self._client.hmget(self._rows(key), [entity.encode() for entity in entities])
        return [
            None if value is None else _row(entity, value)
            for entity, value in zip(entities, found, strict=True)
        ]

    def progress(self, key: ViewKey) -> Progress:
        """See `OnlineStore.progress`."""
        with self._errors():
            value = self._client.get(self._progress(key))
        return Progress(*(int(number) for number in value.split())) if value else Progress()

    def set_progress(self, key: ViewKey, progress: Progress) -> None:
        """See `OnlineStore.set_progress`."""
        with self._errors():
            self._client.set(self._progress(key), " ".join(map(str, progress)))

    def close(self) -> None:
        """See `OnlineStore.close`."""
        self._client.close()

    def _rows(self, key: ViewKey) -> str:
        return f"{self._prefix}:rows:{key.computation}:{key.view}"

    def _progress(self, key: ViewKey) -> str:
        return f"{self._prefix}:progress:{key.computation}:{key.view}"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            raise OnlineError(f"Redis can't be used: {error}") from error


def _row(entity: str, value: bytes) -> OnlineRow:
    event_us, arrival = _HEAD.unpack_from(value)
    return unpack(entity, event_us, arrival, value[_HEAD.size :])
