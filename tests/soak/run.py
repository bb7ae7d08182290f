"""One soak, from start to books."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.store import open_store
from tests.soak.books import Books, check_books, read_journals
from tests.soak.faults import Mischief, possible_faults
from tests.soak.poison import Poison
from tests.soak.world import World

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path

_SETTLE_TIMEOUT_S = 600.0


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
        seed: of every choice.
    """

    seconds: float
    faults: int
    rate: float = 5_000.0
    clients: int = 4
    landers: int = 2
    poison_share: float = 0.01
    seed: int = 1


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    books: Books
    faults: Counter[str]
    poison: Counter[str]
    seconds: float
    lag_at_end: int
    caught_up_s: float


def soak(folder: Path, plan: Plan, tell: Callable[[str], None]) -> Outcome:
    """Run a plan in a folder, which keeps every log file."""
    world = World(folder, clients=plan.clients, landers=plan.landers, rate=plan.rate)
    try:
        poison = Poison(world.log_url, plan.rate * plan.poison_share, plan.seed)
        mischief = Mischief(possible_faults(world), plan.seed)
        began_s = time.monotonic()
        mischief.run(plan.faults, plan.seconds, tell)
        seconds = time.monotonic() - began_s
        tell("no more faults; clients end")
        lag = world.lag()
        for process in world.clients:
            process.terminate()
        for process in world.clients:
            process.stop()
        poison.stop()
        tell(world.forward())
        settled_s = _wait_until_landed(world, tell)
        with open_store(world.store_url) as store:
            client = store.client()
            books = check_books(client, read_journals(world.journals), poison.appended.total())
            client.close()
        return Outcome(books, mischief.counted, poison.appended, seconds, lag, settled_s)
    finally:
        world.close()


def _wait_until_landed(world: World, tell: Callable[[str], None]) -> float:
    """Wait until nothing is left to land; return how long that took."""
    began_s = time.monotonic()
    while (lag := world.lag()) and time.monotonic() < began_s + _SETTLE_TIMEOUT_S:
        tell(f"{lag:,} records still to be landed")
        time.sleep(2.0)
    time.sleep(2.0)
    return time.monotonic() - began_s
