"""Bringing all registered views online, again and again."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from driftline.errors import NotFoundError
from driftline.features.definitions import FeatureView
from driftline.features.materialize import materialize
from driftline.features.metrics import ENTITIES, FAILURES, MATERIALIZED, NEWEST, TTL
from driftline.features.registering import read_registered
from driftline.health import keep_on
from driftline.store import ready_connection
from driftline.store.feature_values import Place, read_freshness

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from driftline.features.materialize import Materialized
    from driftline.features.online.base import OnlineStore
    from driftline.health import Pulse
    from driftline.metrics import Metrics
    from driftline.store.connect import Store
    from driftline.store.connection import Connection

_logger = logging.getLogger(__name__)

INTERVAL_S = 10.0


def registered_views(connection: Connection, names: Sequence[str] = ()) -> Sequence[FeatureView]:
    """Return the views that are in force, all or those that are named.

    Raises:
        NotFoundError: one that is named is not registered.
    """
    found = {
        each.definition.name: each.definition
        for each in read_registered(connection, kind="view")
        if isinstance(each.definition, FeatureView)
    }
    lacking = [name for name in names if name not in found]
    if lacking:
        raise NotFoundError(
            f"no feature view {lacking[0]!r} is registered; there are: {', '.join(found) or 'none'}. "
            "`driftline features register FILE` registers what a file defines"
        )
    return [view for name, view in found.items() if not names or name in names]


class Materializer:
    """Brings views online as rows arrive. One that fails stops no other. For one thread.

    Args:
        store: rows come from it.
        online: the back end that they go to.
        names: of the views; none: all that are registered, also those that come to be.
        metrics: a process's metrics, with `FEATURE_METRICS`.
        pulse: shows the health endpoints that it goes on.
        clock: the time now, seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        online: OnlineStore,
        *,
        names: Sequence[str] = (),
        metrics: Metrics,
        pulse: Pulse,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._online = online
        self._names = names
        self._metrics = metrics
        self._pulse = pulse
        self._began_s = clock()
        self._connection = ready_connection(store)

    def run(self, stop: threading.Event, *, interval_s: float = INTERVAL_S) -> None:
        """Bring views online until ``stop`` is set. While store or back end are away, tries again."""

        def step() -> float:
            with self._pulse.busy():
                self.step()
            self._pulse.succeed()
            return interval_s

        keep_on(
            step,
            stop,
            what="bringing features online",
            pulse=self._pulse,
            logger=_logger,
            start_over=self._start_over,
            rest_s=interval_s,
        )

    def _start_over(self) -> None:
        self._connection.close()
        self._connection = ready_connection(self._store)

    def step(self) -> Sequence[Materialized]:
        """Bring every view online once; return what that did.

        Raises:
            Exception: of the last view that failed; the others were brought online. StoreError: it could not
                be read, or the store is away; OnlineError: as much, of the back end.
            NotFoundError: a view that was named is not registered.
        """
        done = []
        failure: Exception | None = None
        views = registered_views(self._connection, self._names)
        for view in views:
            known = self._metrics.series(MATERIALIZED)
            if (view.name,) not in known:
                self._metrics.set(MATERIALIZED, self._began_s, view=view.name)
                self._metrics.count(FAILURES, 0, view=view.name)
            try:
                one = materialize(self._connection, self._online, view)
            except Exception as error:  # noqa: BLE001 - raised once the others were brought online.
                failure = error
                self._metrics.count(FAILURES, view=view.name)
                continue
            done.append(one)
            self._metrics.set(MATERIALIZED, one.until_us / 1e6, view=view.name)
            self._metrics.count(ENTITIES, one.entities, view=view.name)
        self._publish(views)
        if failure is not None:
            raise failure
        return done

    def close(self) -> None:
        """Let go of the store."""
        self._connection.close()

    def _publish(self, views: Sequence[FeatureView]) -> None:
        held = {each.place: each for each in read_freshness(self._connection)}
        newest: dict[tuple[str, ...], float] = {
            (view.name,): held[Place(view.name, view.computation)].newest_true_us / 1e6
            for view in views
            if Place(view.name, view.computation) in held
        }
        self._metrics.replace(NEWEST, newest)
        ttls: dict[tuple[str, ...], float] = {
            (view.name,): view.ttl.total_seconds() for view in views if view.ttl is not None
        }
        self._metrics.replace(TTL, ttls)
