"""One soak, from start to books."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.embedded import open_store
from driftline.errors import LogError
from tests.soak.books import Books, check_books, read_journals
from tests.soak.faults import Mischief, possible_faults
from tests.soak.odd import Odd
from tests.soak.poison import Poison
from tests.soak.world import World
from tests.support.traffic import derive

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path

_SETTLE_TIMEOUT_S = 600.0
_LONG_S = 20.0


@dataclass(frozen=True)
class Plan:
    """What to do.

    Args:
        seconds: how long faults happen.
        faults: how many of them.
        rate: predictions a second.
        clients: processes that log.
        landers: processes that land.
        poison_share: of the records, those that nobody can land.
        odd_share: of the records, those that are odd and have to land.
        seed: of every choice.
        only: the one kind of fault that happens; empty: all.
        lasts_s: how long each fault lasts; None: as it comes.
    """

    seconds: float
    faults: int
    rate: float = 5_000.0
    clients: int = 4
    landers: int = 2
    poison_share: float = 0.01
    odd_share: float = 0.01
    seed: int = 1
    only: str = ""
    lasts_s: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Args:
        books: how they stand.
        faults: how many there were of each kind.
        poison: how many records nobody could land, by kind.
        odd: how many events were odd, by kind.
        seconds: how long faults happened.
        largest_lag: that the landers reported.
        caught_up_s: from the clients' end until everything had landed.
    """

    books: Books
    faults: Counter[str]
    poison: Counter[str]
    odd: Counter[str]
    seconds: float
    largest_lag: float
    caught_up_s: float


def soak(folder: Path, plan: Plan, tell: Callable[[str], None]) -> Outcome:
    """Run a plan in a folder, which keeps every log file."""
    is_long = plan.lasts_s is not None and plan.lasts_s > _LONG_S
    world = World(
        folder, clients=plan.clients, landers=plan.landers, rate=plan.rate, has_small_disk=not is_long
    )
    try:
        poison = Poison(world.log_url, plan.rate * plan.poison_share, plan.seed)
        odd = Odd(world.log_url, plan.rate * plan.odd_share, plan.seed)
        faults = [fault for fault in possible_faults(world) if plan.only in {"", fault.kind}]
        mischief = Mischief(faults, plan.seed, lasts_s=plan.lasts_s)
        watch = LagWatch(world)
        began_s = time.monotonic()
        mischief.run(plan.faults, plan.seconds, tell)
        seconds = time.monotonic() - began_s
        tell("no more faults; clients end")
        for process in world.clients:
            process.terminate()
        for process in world.clients:
            process.stop()
        poison.stop()
        odd.stop()
        tell(world.forward())
        settled_s = _wait_until_landed(world, tell)
        with open_store(world.store_url) as store:
            client = store.connect()
            derive(store)
            books = check_books(client, read_journals(world.journals), poison.appended.total(), odd.accepted)
            client.close()
        return Outcome(
            books, mischief.counted, poison.appended, odd.accepted, seconds, watch.stop(), settled_s
        )
    finally:
        world.close()


class LagWatch:
    """Remembers the largest lag that landers reported."""

    def __init__(self, world: World) -> None:
        self._largest = 0.0
        self._world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            self._largest = max(self._largest, self._world.reported_lag())

    def stop(self) -> float:
        """Return the largest lag until now."""
        self._stop.set()
        self._thread.join()
        return self._largest


def _wait_until_landed(world: World, tell: Callable[[str], None]) -> float:
    """Wait until nothing is left to land; return how long that took."""
    began_s = time.monotonic()
    while time.monotonic() < began_s + _SETTLE_TIMEOUT_S:
        try:
            lag = world.lag()
        except LogError as error:  # A broker that is busy, or just back: it is asked again.
            tell(str(error))
        else:
            if not lag:
                break
            tell(f"{lag:,} records still to be landed")
        time.sleep(2.0)
    time.sleep(2.0)
    return time.monotonic() - began_s
