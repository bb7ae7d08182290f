"""What fails alone: a stream, an hour, a model. It is named, waits and is tried again; the others go on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from driftline.backoff import Backoff

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

_BACKOFF = Backoff(first_s=1.0, last_s=300.0)
_DESCRIBED = 3

K = TypeVar("K", bound="Hashable")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one of many.

    Args:
        attempts: how often in a row.
        due_s: when to try again, by a clock that never goes back.
        detail: the last error, in a line.
        name: of what fails.
    """

    attempts: int
    due_s: float
    detail: str
    name: str


class Tried(NamedTuple):
    """How many of several were done, and how many failed alone."""

    done: int
    failed: int


class Failing(Generic[K]):
    """Which of many fail. For one thread.

    Args:
        what: is tried, for the log: ``judging``.
        logger: where failures are described.
        monotonic: a clock in seconds.
        is_general: says of an error whether it concerns everything, as when the store is away; such a one is
            raised.
    """

    def __init__(
        self,
        what: str,
        *,
        logger: logging.Logger,
        monotonic: Callable[[], float],
        is_general: Callable[[Exception], bool],
    ) -> None:
        self._what = what
        self._logger = logger
        self._monotonic = monotonic
        self._is_general = is_general
        self._known: dict[K, Failure] = {}

    @property
    def known(self) -> Mapping[K, Failure]:
        """What failed when it was tried last."""
        return self._known

    def is_due(self, key: K) -> bool:
        """Return whether to try: it did not fail, or long enough ago."""
        known = self._known.get(key)
        return known is None or known.due_s <= self._monotonic()

    @contextmanager
    def apart(self, key: K, **names: str) -> Iterator[None]:
        """Try one of many: an error that concerns it alone is described and kept, and ends the block.

        Args:
            key: which.
            names: of it, for the log.
        """
        try:
            yield
        except Exception as error:  # whatever it is, the others are not to wait for it.
            if self._is_general(error):
                raise
            self._fail(key, error, names)
        else:
            self.succeed(key)

    def together(
        self,
        items: Sequence[T],
        work: Callable[[Sequence[T]], object],
        *,
        describe: Callable[[T], tuple[K, Mapping[str, str]]],
        goes_on: Callable[[], bool] = lambda: True,
    ) -> Tried:
        """Try several at once, and where that fails, halves of them, until those that fail stand alone.

        Args:
            items: what to try.
            work: is done with some of them, all or none.
            describe: returns an item's key, and its names for the log.
            goes_on: is asked before each attempt; once it says no, the rest is left.
        """
        if not items or not goes_on():
            return Tried(0, 0)
        if len(items) == 1:
            key, names = describe(items[0])
            done = 0
            with self.apart(key, **names):
                work(items)
                done = 1
            return Tried(done, 1 - done)
        try:
            work(items)
        except Exception as error:
            if self._is_general(error):
                raise
            half = len(items) // 2
            parts = [
                self.together(part, work, describe=describe, goes_on=goes_on)
                for part in (items[:half], items[half:])
            ]
            return Tried(sum(part.done for part in parts), sum(part.failed for part in parts))
        for item in items:
            self.succeed(describe(item)[0])
        return Tried(len(items), 0)

    def succeed(self, key: K) -> None:
        """Note that one of many was done, alone or with others."""
        if (known := self._known.pop(key, None)) is not None:
            self._logger.info("%s %s succeeds again", self._what, known.name)

    def _fail(self, key: K, error: Exception, names: Mapping[str, str]) -> None:
        attempts = self._known[key].attempts + 1 if key in self._known else 1
        wait_s = _BACKOFF.wait_s(attempts)
        detail = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        self._known[key] = Failure(attempts, self._monotonic() + wait_s, detail, _named(names))
        self._logger.warning(
            "%s %s failed, attempt %d; the others go on, and it is tried again in %.0f s: %s",
            *(self._what, _named(names), attempts, wait_s, detail),
            extra={**names, "attempts": attempts},
            exc_info=error if attempts == 1 else None,
        )

    def described(self) -> str:
        """Return what fails in a line; empty: nothing."""
        lines = [f"{failure.name}: {failure.detail}" for failure in list(self._known.values())[:_DESCRIBED]]
        more = len(self._known) - len(lines)
        return "; ".join([*lines, *([f"and {more} more"] if more else [])])


def _named(names: Mapping[str, str]) -> str:
    return " ".join(names.values())
