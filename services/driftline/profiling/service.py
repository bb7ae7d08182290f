"""The profiler: derives hours as rows land, and again when late rows or a changed recipe make them dirty.

It looks what has landed, derives what is due, lets it count, and goes on. Killed at any moment it begins
again with a look at everything: what it had written without a pointer counts for nobody. Two profilers of one
shard do no harm, since both are right.
"""

from __future__ import annotations

import logging
import secrets
import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from driftline.failing import Failing
from driftline.health import Pulse, keep_on
from driftline.performance.deriving import PerformanceDeriver
from driftline.profiling.dirty import DirtyHours
from driftline.profiling.metrics import DIRTY, FAILING, FAILURES, HOURS, LAG, ROWS, SECONDS
from driftline.profiling.rules import learn_rules, models_to_learn
from driftline.store import ready_connection
from driftline.store.derive import delete_superseded, derive_hours, keep_derived, point_to
from driftline.store.grids import choose_grids, pending_choices, read_stale_hours
from driftline.store.grouping import batches, by_segments
from driftline.store.hours import (
    Pointer,
    count_raw_rows,
    derivation_id,
    read_derived_until,
    read_pointers,
    read_signs,
    read_store_time,
    read_touched,
    write_derived_until,
)
from driftline.store.ready import is_away
from driftline.store.recipes import RECIPE_TABLES, read_recipes

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Mapping, Sequence

    from driftline.domain.streams import HourKey
    from driftline.metrics import Metrics
    from driftline.store.connect import Store
    from driftline.store.connection import Connection
    from driftline.store.hours import RawRows
    from driftline.store.recipes import Recipes

_logger = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POLL_S = 1.0
_LOOK_SHARE = 0.01
"""Of a core, looking what has landed takes at most about this share."""

MOST_ROWS = 2_000_000
"""So many rows are derived by one statement, unless an hour alone has more."""

_STEP_S = 5.0
"""A step derives for about so long, then looks what has landed: that does not wait for a backlog."""

_NOTE_GAP_S = 5.0
_CLEAN_GAP_S = 600.0
_LONG_LOOK_GAP_S = 3600.0
_LONG_LOOK = timedelta(days=1)
"""The first look is at everything. Each hour one reaches back so far: an insert may have hung for minutes."""


class Profiler:
    """Derives the hours of all models, or of a shard of them. For one thread.

    Args:
        store: rows come from it, profiles go to it.
        metrics: a process's metrics, with the profiler's table.
        monotonic: a clock in seconds.
        shard: which of the shards this is, from 0 on.
        shards: how many profilers share the models.
        random_below: returns a random number from 0 to below its argument.
        pulse: shows the health endpoints that deriving goes on.
    """

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        monotonic: Callable[[], float] = time.monotonic,
        shard: int = 0,
        shards: int = 1,
        random_below: Callable[[int], int] = secrets.randbelow,
        pulse: Pulse | None = None,
    ) -> None:
        self._store = store
        self.metrics = metrics
        self._monotonic = monotonic
        self._shard, self._shards = shard, shards
        self._random_below = random_below
        self._pulse = pulse or Pulse("profiler", monotonic)
        for name in (SECONDS, HOURS, ROWS, FAILURES):
            metrics.count(name, 0)
        self._connection = ready_connection(store, first=self._read_derived_until)
        self._failing: Failing[tuple[str, ...]] = Failing(
            "deriving", logger=_logger, monotonic=monotonic, is_general=lambda e: is_away(self._connection, e)
        )
        self._begin()

    def _read_derived_until(self, connection: Connection) -> None:
        self._derived_until = self._noted_until = read_derived_until(connection)

    def _begin(self) -> None:
        """Know nothing: the next step looks at everything."""
        self._dirty = DirtyHours()
        self._recipes: Recipes | None = None
        self._signs: Mapping[str, int] = {}
        self._looked_at, self._looked_s = _EPOCH, self._monotonic()
        self._next_look_s = self._cleaned_s = self._monotonic()
        self._long_look_s = float("-inf")
        self._must_learn: set[str] = set()
        self._performance = PerformanceDeriver(
            self._connection,
            monotonic=self._monotonic,
            random_below=self._random_below,
            is_own=self._is_own,
            failing=self._failing,
        )

    @property
    def failing(self) -> str:
        """What could not be derived, and why, for a person; empty: nothing failed."""
        return self._failing.described()

    def run(self, stop: threading.Event) -> None:
        """Derive until ``stop`` is set. While the store is away, waits and tries again."""

        def step() -> float:
            derived = self.step(stop)
            self._pulse.succeed(warning=self._failing.described())
            return 0.0 if derived else _POLL_S

        keep_on(
            step,
            stop,
            what="deriving",
            pulse=self._pulse,
            logger=_logger,
            start_over=self._start_over,
            failed=lambda: self.metrics.count(FAILURES),
            rest_s=_POLL_S,
        )

    def _start_over(self) -> None:
        self._connection.close()
        self._connection = ready_connection(self._store, first=self._read_derived_until)
        self._begin()

    def run_until_idle(self) -> int:
        """Derive everything that is dirty, open hours too; return how many hours that were.

        Raises:
            StoreError: the store is away.
        """
        total = 0
        self._read_derived_until(self._connection)
        self._begin()
        while derived := self.step(is_patient=False):
            total += derived
        return total

    def step(self, stop: threading.Event | None = None, *, is_patient: bool = True) -> int:
        """Look what is dirty, and derive what is due; return how many hours that were.

        Args:
            stop: ends the step early, between two statements.
            is_patient: whether what was derived a moment ago waits for its turn.

        Raises:
            StoreError: the store is away.
        """
        self._look(is_forced=not is_patient)
        now = self._looked_at + timedelta(seconds=self._monotonic() - self._looked_s)
        hours = self._dirty.due(now) if is_patient else list(self._dirty.pointers)
        hours = [each for each in hours if self._failing.is_due(_key(each))]
        derived = self._derive(hours, stop) if hours else 0
        if self._must_learn and not (stop is not None and stop.is_set()):
            derived += self._learn()
        with self._pulse.busy():
            derived += self._performance.step(stop, is_patient=is_patient)
            self._performance.export(self.metrics)
        self._tell(now)
        self._clean()
        return derived

    def _look(self, *, is_forced: bool) -> None:
        """Find hours that may be dirty: of which rows landed, and those that a changed recipe concerns."""
        began_s = self._monotonic()
        if not is_forced and began_s < self._next_look_s:
            return
        signs = read_signs(self._connection, ("predictions", *RECIPE_TABLES))
        if self._recipes is None or any(signs.get(name) != self._signs.get(name) for name in RECIPE_TABLES):
            self._read_recipes()
        is_long = began_s - self._long_look_s >= _LONG_LOOK_GAP_S
        if is_long or signs.get("predictions") != self._signs.get("predictions"):
            reach = _LONG_LOOK if is_long else timedelta(0)
            self._look_for_landed(max(self._looked_at, _EPOCH + reach) - reach)
            self._long_look_s = began_s if is_long else self._long_look_s
        if signs.get("registrations") != self._signs.get("registrations"):
            # A registration says how many rows a reference has: it may be whole with what has landed.
            self._must_learn |= {hour.stream.model_name for hour in read_pointers(self._connection)}
        self._signs = signs
        self._next_look_s = self._monotonic() + (self._monotonic() - began_s) / _LOOK_SHARE

    def _look_for_landed(self, since: datetime) -> None:
        looked_at, looked_s = read_store_time(self._connection), self._monotonic()
        touched = {
            each: landed_at
            for each, landed_at in read_touched(self._connection, since).items()
            if self._is_own(each.stream.model_name)
        }
        pointers = read_pointers(self._connection, touched.keys())
        self._dirty.see(touched)
        self._dirty.add(
            (
                each
                for each, landed_at in touched.items()
                if each not in pointers or not pointers[each].surely_holds(landed_at)
            ),
            pointers,
        )
        self._dirty.settle_by_time(touched)
        self._looked_at, self._looked_s = looked_at, looked_s

    def _read_recipes(self) -> None:
        """Take what is in force, and find the hours that were derived by something else."""
        recipes = read_recipes(self._connection)
        pointers = {
            each: pointer
            for each, pointer in read_pointers(self._connection).items()
            if self._is_own(each.stream.model_name)
        }
        stale = {each for each, pointer in pointers.items() if not recipes.fits(each.stream, pointer)}
        models = {each.stream.model_name for each in pointers}
        stale |= set(read_stale_hours(self._connection, models))
        self._dirty.see(pointers)
        self._dirty.add(stale, {})  # Without a pointer: whatever they were derived of, it no longer counts.
        self._recipes = recipes

    def _is_own(self, model_name: str) -> bool:
        return zlib.crc32(model_name.encode()) % self._shards == self._shard

    def _derive(self, hours: Sequence[HourKey], stop: threading.Event | None) -> int:
        """Derive those of the hours that are dirty, the newest first; return how many."""
        recipes = self._recipes
        if recipes is None:
            return 0
        rows = count_raw_rows(self._connection, hours, recipes.counts(hours))
        pointers = read_pointers(self._connection, hours)
        models = {each.stream.model_name for each in hours}
        stale = frozenset(read_stale_hours(self._connection, models))
        due: list[HourKey] = []
        settled, expired = [], {}
        for each in hours:
            pointer = pointers.get(each)
            held = rows[each].rows if each in rows else 0
            if pointer is not None and held < pointer.rows:
                expired[each] = pointer  # Rows have begun to expire: what was counted of them stays.
            elif self._is_settled(each, held, pointer, stale):
                settled.append(each)
            else:
                due.append(each)
        keep_derived(self._connection, expired, recipes)
        self._dirty.settle([*settled, *expired])
        end_s = self._monotonic() + _STEP_S
        derived = 0
        for group in by_segments(due, recipes):
            for batch in batches(group, rows, MOST_ROWS):
                if (stop is not None and stop.is_set()) or (derived and self._monotonic() > end_s):
                    return derived
                tried = self._failing.together(
                    batch,
                    lambda some: self._derive_batch({each: rows[each] for each in some}, recipes),
                    describe=lambda hour: (_key(hour), {**hour.stream._asdict(), "hour": _time_of(hour)}),
                    goes_on=lambda: stop is None or not stop.is_set(),
                )
                self.metrics.count(FAILURES, tried.failed)
                derived += tried.done
        return derived

    def _is_settled(
        self, hour: HourKey, rows: int, pointer: Pointer | None, stale: Collection[HourKey]
    ) -> bool:
        """Return whether there is nothing to derive of an hour."""
        if pointer is None:
            return rows == 0
        fits = self._recipes is not None and self._recipes.fits(hour.stream, pointer)
        return rows == pointer.rows and fits and hour not in stale

    def _derive_batch(self, rows: Mapping[HourKey, RawRows], recipes: Recipes) -> None:
        began_s = self._monotonic()
        began = read_store_time(self._connection)
        derivation = derivation_id(began, self._random_below)
        with self._pulse.busy():  # It takes as long as there are rows.
            derive_hours(self._connection, rows.keys(), recipes, derivation=derivation)
        seconds = self._monotonic() - began_s
        point_to(self._connection, rows, recipes, derivation=derivation, seconds=seconds)
        total = sum(held.rows for held in rows.values())
        self._dirty.note_derived(
            {
                each: Pointer(derivation, held.rows, seconds=seconds * held.rows / max(total, 1))
                for each, held in rows.items()
            }
        )
        self._must_learn |= {each.stream.model_name for each in rows}
        self.metrics.count(SECONDS, seconds)
        self.metrics.count(HOURS, len(rows))
        self.metrics.count(ROWS, total)

    def _learn(self) -> int:
        """Choose grids and learn rules where there is enough by now; return how many models that changes."""
        due = {model for model in self._must_learn if self._failing.is_due((model,))}
        self._must_learn -= due
        changed = 0
        for model in self._learners(due):
            self._must_learn.add(model)
            with self._failing.apart((model,), model_name=model):
                for choice in pending_choices(self._connection, [model]):
                    choose_grids(self._connection, choice)
                    changed += 1
                changed += len(learn_rules(self._connection, model))
                self._must_learn.discard(model)
        if changed:
            self._read_recipes()
        return changed

    def _learners(self, models: Collection[str]) -> Collection[str]:
        """Return which of the models have something to learn; where that cannot be asked, all of them."""
        try:
            return models_to_learn(self._connection, models)
        except Exception as error:
            if is_away(self._connection, error):
                raise
            return models

    def _tell(self, now: datetime) -> None:
        """Note how far this is, for readers, and export it."""
        self._derived_until = self._dirty.derived_until(self._derived_until, self._looked_at)
        if (self._derived_until - self._noted_until).total_seconds() >= _NOTE_GAP_S:
            write_derived_until(self._connection, self._derived_until, shards=self._shards, shard=self._shard)
            self._noted_until = self._derived_until
        self.metrics.set(DIRTY, len(self._dirty))
        failing: dict[tuple[str, ...], float] = {}
        for key, failure in self._failing.known.items():
            names = (*key, "", "")[:3]
            failing[names] = max(failing.get(names, 0.0), float(failure.attempts))
        self.metrics.replace(FAILING, failing)
        lag_s = (now - self._derived_until).total_seconds() if len(self._dirty) else 0.0
        self.metrics.set(LAG, max(lag_s, 0.0))

    def _clean(self) -> None:
        """Delete now and then what no pointer names any more."""
        now_s = self._monotonic()
        if self._shard == 0 and now_s - self._cleaned_s >= _CLEAN_GAP_S:
            with self._failing.apart(("",), step="cleaning"), self._pulse.busy():
                delete_superseded(self._connection)
                self._performance.clean()
            self._cleaned_s = now_s

    def close(self) -> None:
        """Let go of the store."""
        self._connection.close()


def _key(hour: HourKey) -> tuple[str, ...]:
    """Return what an hour's failures are kept by; a model's are by its name."""
    return (*hour.stream, _time_of(hour))


def _time_of(hour: HourKey) -> str:
    return f"{datetime.fromtimestamp(hour.hour * 3600, UTC):%Y-%m-%d %H:%M}"
