"""What goes wrong in a soak: chosen at random, one at a time for each thing that can break."""

from __future__ import annotations

import contextlib
import heapq
import random
import socket
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.soak.world import World
    from tests.support.process import ServerProcess

_TICK_S = 0.1
_HALF_REQUESTS = 400


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        kind: what it is counted as.
        target: what breaks; one thing is not broken twice at a time.
        begin: breaks it.
        end: mends it.
        longest_s: it lasts up to so many seconds, some seconds at least where that matters.
        shortest_s: it lasts no less.
    """

    kind: str
    target: str
    begin: Callable[[], object]
    end: Callable[[], object]
    longest_s: float
    shortest_s: float = 0.2


def possible_faults(world: World) -> Sequence[Fault]:
    """Return all that can go wrong in a world."""
    faults = []
    for lander in world.landers:
        faults += [
            Fault("lander killed", lander.name, lander.kill, lander.start, 4.0),
            # Longer than a member may be silent: another lander takes over, and this one returns.
            Fault("lander stopped and resumed", lander.name, lander.pause, lander.resume, 12.0, 1.0),
            Fault("lander ended and started", lander.name, lander.stop, lander.start, 3.0),
            _half_requests(world, lander.name),
        ]
    for client in world.clients:
        faults += [
            Fault("client killed", client.name, client.kill, client.start, 2.0),
            Fault("client stopped and resumed", client.name, client.pause, client.resume, 5.0),
        ]
    kafka, store = world.kafka, world.store
    die, refuse, drop = (
        partial(store.fail_next, *mode) for mode in ((1, "die"), (3, "before"), (2, "after"))
    )

    def mend() -> None:
        store.forget_failures()  # No insert may have come meanwhile: it would fail when nobody waits for it.
        store.start()

    faults += [
        Fault("broker killed", "broker", kafka.kill, kafka.start, 6.0),
        Fault("broker stopped and resumed", "broker", kafka.pause, kafka.resume, 8.0, 1.0),
        Fault("store ended and started", "store", store.stop, store.start, 5.0),
        Fault("store stopped and resumed", "store", store.pause, store.resume, 6.0),
        Fault("store killed", "store", store.kill, store.start, 3.0),
        Fault("store killed within an insert", "store", die, mend, 3.0, 2.0),
        Fault("store refused inserts", "store", refuse, mend, 1.0),
        Fault("store's answer lost", "store", drop, mend, 1.0),
        _joining(world),
    ]
    if world.disk.is_small:
        faults.append(_disk_full(world))
    return faults


def _joining(world: World) -> Fault:
    joined: list[ServerProcess] = []

    def leave() -> None:
        joined.pop().stop()

    return Fault(
        "lander joined and left", "joining", lambda: joined.append(world.join_lander()), leave, 10.0, 3.0
    )


def _half_requests(world: World, name: str) -> Fault:
    """Somebody opens connections to a lander's port, and sends half a request on each."""
    held = contextlib.ExitStack()

    def begin() -> None:
        for _ in range(_HALF_REQUESTS):
            with contextlib.suppress(OSError):
                half = held.enter_context(socket.create_connection(world.metrics_address(name), 1.0))
                half.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")

    return Fault("half-sent requests", f"port of {name}", begin, held.close, 10.0, 2.0)


def _disk_full(world: World) -> Fault:
    """The clients' disk is full, while the broker is away: that is when they need it."""

    def begin() -> None:
        world.disk.fill()
        world.kafka.pause()

    def end() -> None:
        world.kafka.resume()
        time.sleep(1.0)
        world.disk.free()

    return Fault("clients' disk full", "broker", begin, end, 6.0, 3.0)


class Mischief:
    """Lets faults happen until a number of them has.

    Args:
        faults: what can happen.
        seed: of every choice.
        lasts_s: how long each lasts; None: as it comes.
    """

    def __init__(self, faults: Sequence[Fault], seed: int, *, lasts_s: float | None = None) -> None:
        self._lasts_s = lasts_s
        self.counted: Counter[str] = Counter()
        self._faults = faults
        self._random = random.Random(seed)
        kinds = Counter(fault.kind for fault in faults)
        self._weights = [1 / kinds[fault.kind] for fault in faults]  # Each kind is as likely as any other.
        self._broken: list[tuple[float, int, Fault]] = []
        self._order = count()

    def run(self, number: int, seconds: float, tell: Callable[[str], None]) -> None:
        """Let ``number`` faults happen over some seconds, then mend everything."""
        began_s = time.monotonic()
        for place in range(number):
            due_s = began_s + seconds * (place + self._random.random()) / number
            while (now_s := time.monotonic()) < due_s:
                self._mend(now_s)
                time.sleep(_TICK_S)
            self._break(tell)
        while self._broken:
            self._mend(time.monotonic())
            time.sleep(_TICK_S)

    def _break(self, tell: Callable[[str], None]) -> None:
        busy = {fault.target for _, _, fault in self._broken}
        while True:
            (fault,) = self._random.choices(self._faults, self._weights)
            if fault.target not in busy:
                break
            self._mend(time.monotonic())
            busy = {broken.target for _, _, broken in self._broken}
            time.sleep(_TICK_S)
        lasts_s = self._lasts_s or self._random.uniform(fault.shortest_s, fault.longest_s)
        tell(f"{fault.kind}: {fault.target}, {lasts_s:.1f} s")
        fault.begin()
        self.counted[fault.kind] += 1
        heapq.heappush(self._broken, (time.monotonic() + lasts_s, next(self._order), fault))

    def _mend(self, now_s: float) -> None:
        while self._broken and self._broken[0][0] <= now_s:
            heapq.heappop(self._broken)[2].end()
