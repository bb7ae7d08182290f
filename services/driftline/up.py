"""``driftline up``: everything in one process, over one log and one store."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from driftline.audit import SEALER_METRICS, Sealer
from driftline.drift.service.metrics import WORKER_METRICS
from driftline.drift.service.worker import DriftWorker
from driftline.embedded import open_store
from driftline.health import Health, Pulse
from driftline.lander import LANDER_METRICS, Lander
from driftline.lander.dead_letters import LIMIT_SHARE
from driftline.log import open_log
from driftline.metrics import Metrics
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store.ready import check_store
from driftline.web import WEB_METRICS, WebServer, create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from driftline.domain.incidents import Answer, Incident
    from driftline.drift import DriftSettings
    from driftline.monitors import Monitors
    from driftline.registry.policy import Policy
    from driftline.store import Store
    from driftline.web import Acting


class Up:
    """Everything in one process. Starts at once; ``close`` ends it in order.

    Args:
        log_url: where events come from.
        store_url: where they land.
        host: address that the pages listen on.
        port: their port; 0 takes a free one.
        allowed_hosts: names that requests may give for this host, besides addresses and loopback names.
        user_header: of requests, in which a proxy says who asks.
        acting: who may acknowledge incidents from their pages; None: nobody.
        monitors: what is monitored of each model, and how.
        policy: what becomes of versions that nobody registered.
        dead_letter_limit: share of the records that may be refused before the lander stops.
        answer: acknowledges an incident, or None, as soon as it is found; left out: somebody on call does.

    Raises:
        DriftlineError: log or store can't be opened, or the port is taken.
    """

    def __init__(
        self,
        *,
        log_url: str,
        store_url: str,
        host: str = "127.0.0.1",
        port: int = 0,
        allowed_hosts: Sequence[str] = (),
        user_header: str = "",
        acting: Acting | None = None,
        monitors: Monitors[DriftSettings] | None = None,
        policy: Policy | None = None,
        dead_letter_limit: float = LIMIT_SHARE,
        answer: Callable[[Incident], Answer | None] | None = None,
    ) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.metrics = Metrics(LANDER_METRICS, PROFILER_METRICS, WORKER_METRICS, SEALER_METRICS, WEB_METRICS)
        self.log = open_log(log_url)
        self.store: Store = open_store(store_url)
        try:
            names = ("lander", "profiler", "drift worker", "sealer")
            pulses = {name: Pulse(name, time.monotonic) for name in names}
            self._lander = Lander(
                self.log,
                self.store,
                metrics=self.metrics,
                dead_letter_limit=dead_letter_limit,
                pulse=pulses["lander"],
            )
            self._profiler = Profiler(self.store, metrics=self.metrics, pulse=pulses["profiler"])
            self._worker = DriftWorker(
                self.store,
                metrics=self.metrics,
                monotonic=time.monotonic,
                monitors=monitors,
                policy=policy,
                pulse=pulses["drift worker"],
                answer=answer,
            )
            self._sealer = Sealer(self.store, metrics=self.metrics, pulse=pulses["sealer"])
            app = create_app(
                self.store,
                self.metrics,
                clock=time.time,
                health=self._health(pulses),
                user_header=user_header,
                acting=acting,
            )
            self._web = WebServer(app, host, port, allowed_hosts=allowed_hosts)
            self._web.start()
        except BaseException:
            self.store.close()
            raise
        self.url = self._web.url
        self._start("lander", self._lander.run)
        self._start("profiler", self._profiler.run)
        self._start("drift-worker", self._worker.run)
        self._start("sealer", self._sealer.run)

    def _health(self, pulses: Mapping[str, Pulse]) -> Health:
        return Health(
            alive={name: pulse.check for name, pulse in pulses.items()},
            ready={
                "log": self.log.topics,
                "store": lambda: check_store(self.store),
                "landing": pulses["lander"].check_work,
                "deriving": pulses["profiler"].check_work,
                "judging": pulses["drift worker"].check_work,
                "sealing": pulses["sealer"].check_work,
            },
            pulses=pulses,
        )

    def _start(self, name: str, run: Callable[[threading.Event], None]) -> None:
        thread = threading.Thread(target=run, args=(self._stop,), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def failed(self) -> str | None:
        """Return the name of a service that has ended by an error it did not expect, or None."""
        dead = (thread.name for thread in self._threads if not thread.is_alive())
        return None if self._stop.is_set() else next(dead, None)

    def close(self) -> None:
        """Finish the batch and the hour under way, then stop. Blocks."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._web.stop()
        self._lander.close()
        self._profiler.close()
        self._worker.close()
        self._sealer.close()
        self.store.close()
        self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
