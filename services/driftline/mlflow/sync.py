"""Copies what MLflow's registry holds into driftline's, once; done again, it copies what has changed."""

from __future__ import annotations

import logging
import random as random_module
import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from driftline.errors import DriftlineError, LogError
from driftline.mlflow.aliases import STANDS_FOR, wishes
from driftline.mlflow.copying import TIMEOUT_S, Copier, origin_of
from driftline.mlflow.errors import MlflowAwayError
from driftline.mlflow.files import LIMIT_BYTES
from driftline.mlflow.seen import READY
from driftline.registry.client import Registry
from driftline.registry.decisions import Author
from driftline.registry.policy import Policy
from driftline.registry.state import ModelState
from driftline.wire import MODEL_REGISTRY_TOPIC, TRAINING_RUNS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from driftline.log import EventLog
    from driftline.mlflow.aliases import Wish
    from driftline.mlflow.seen import SeenModel, SeenVersion
    from driftline.mlflow.source import Source
    from driftline.registry.events import RegistryEvent, Stage

_system_random = random_module.SystemRandom().getrandbits
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """What was not copied, or not as it stands in MLflow; everything else was.

    Args:
        model_name: of which model.
        what: of it: a version, or an alias.
        message: what is wrong.
    """

    model_name: str
    what: str
    message: str

    def __str__(self) -> str:
        return f"{self.model_name} {self.what}: {self.message}"


@dataclass(slots=True)
class Synchronised:
    """What a look at MLflow came to.

    Attributes:
        models: how many registered models there are.
        versions: how many versions of them.
        new: versions that were registered, as model and version.
        changed: versions whose run was registered again, since MLflow says something else of it.
        moved: what was decided about aliases and stages, in words.
        gone: versions that MLflow has no more; they stay here.
        problems: what was not copied.
    """

    models: int = 0
    versions: int = 0
    new: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is copied, and how.

    Args:
        models: names of these alone; none: all.
        stages: the stage that each alias stands for.
        limit_bytes: of larger models no digests are made.
        policy: says what a run may leave out.
    """

    models: Collection[str] = ()
    stages: Mapping[str, Stage] = field(
        default_factory=lambda: MappingProxyType({str(stage): stage for stage in STANDS_FOR})
    )
    limit_bytes: int = LIMIT_BYTES
    policy: Policy = field(default_factory=Policy)


class Sync:
    """Copies one MLflow into one log. For one thread; several that do the same do no harm.

    What was copied stands in the log: there is nothing else to keep, and nothing is copied twice.

    Args:
        source: which MLflow.
        log: an open log.
        wanted: what is copied.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: a source of random bits.
        timeout_s: how long to wait for the log.
    """

    def __init__(
        self,
        source: Source,
        log: EventLog,
        *,
        wanted: Wanted | None = None,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], int] = _system_random,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._source = source
        self._log = log.without_spill()
        self._wanted = wanted or Wanted()
        self._author = Author(f"MLflow at {origin_of(source)}", clock, random, origin_of(source))
        self._timeout_s = timeout_s
        self._registry = Registry(self._log)
        self._copier = Copier(
            source,
            self._registry,
            self._log,
            limit_bytes=self._wanted.limit_bytes,
            policy=self._wanted.policy,
            random=random,
            timeout_s=timeout_s,
        )

    def close(self) -> None:
        """Let go of the log."""
        self._registry.close()
        self._log.close()

    def run(self, *, deep: bool = True) -> Synchronised:
        """Look at MLflow once, copy what is new, and return what was copied. Blocks until it is in the log.

        Args:
            deep: look also whether MLflow says something else by now of what was copied, which asks for
                each run.

        Raises:
            MlflowError: MLflow does not answer, or not as an MLflow.
            LogError: the log can't be used now.
        """
        self._log.ensure_topics([MODEL_REGISTRY_TOPIC, TRAINING_RUNS_TOPIC])
        models = [each for each in self._source.models() if self._is_wanted(each)]
        names = {model.name for model in models}
        versions = [each for each in self._source.versions() if each.model_name in names]
        done = Synchronised(len(models), len(versions))
        states = self._registry.read()
        for version in versions:
            self._copy(version, states.get(version.model_name), done, deep=deep)
        states = self._registry.read()
        for model in models:
            if model.name in states:
                self._move_aliases(model, states[model.name], done)
        there = {(each.model_name, each.version) for each in versions}
        done.gone = [
            (name, version.name)
            for name in sorted(names & states.keys())
            for version in states[name].versions.values()
            # Others than numbers are names of runs that were never registered there.
            if version.origin_sha256 and version.name.isdecimal() and (name, version.name) not in there
        ]
        return done

    def _is_wanted(self, model: SeenModel) -> bool:
        return not model.is_prompt and (not self._wanted.models or model.name in self._wanted.models)

    def _copy(
        self, version: SeenVersion, state: ModelState | None, done: Synchronised, *, deep: bool
    ) -> None:
        """Copy a version; what is wrong with it alone is noted."""
        state = state or ModelState(version.model_name)
        known = state.versions.get(version.version)
        if known is not None and known.origin_sha256 is not None and not deep:
            return
        what = f"version {version.version}"
        if known is None and version.status != READY:
            message = f"it is {version.status} in MLflow, and is copied once it is {READY}"
            done.problems.append(Problem(version.model_name, what, message))
            return
        try:
            copied = self._copier.copy(version, state)
        except (MlflowAwayError, LogError):
            raise
        except DriftlineError as error:
            done.problems.append(Problem(version.model_name, what, str(error)))
            return
        if copied is not None:
            (done.new if copied.is_new else done.changed).append((version.model_name, version.version))
            for note in copied.notes:
                _logger.info("%s %s: %s", version.model_name, what, note)

    def _move_aliases(self, model: SeenModel, state: ModelState, done: Synchronised) -> None:
        for wish in list(wishes(model, state, stages=self._wanted.stages, author=self._author)):
            problem = _obstacle(wish, state)
            try:
                if not problem:
                    event = wish.decide(state)
                    problem = _refused_before(event, state)
                if not problem:
                    state = self._registry.submit(event, timeout_s=self._timeout_s)
                    done.moved.append(f"{model.name}: {state.moves[-1].what}")
            except LogError:
                raise
            except DriftlineError as error:
                problem = str(error)
            if problem:
                done.problems.append(Problem(model.name, f"alias {wish.alias}", problem))


def _obstacle(wish: Wish, state: ModelState) -> str:
    """Return why an alias is left where it is; empty: nothing speaks against moving it."""
    if not wish.has_moved:
        there, here = wish.version or "nothing", wish.here or "nothing"
        return (
            f"it names {there} in MLflow and {here} here, where somebody moved it since; what was decided "
            "last stands until it moves in MLflow again"
        )
    if wish.version and wish.version not in state.versions:
        known = ", ".join(list(state.versions)[-5:]) or "none"
        return f"it names version {wish.version}, which was not copied or is gone; there are {known}"
    return ""


def _refused_before(event: RegistryEvent, state: ModelState) -> str:
    """Return why the same was refused when everything was as it is; empty: it was not.

    What does not count would else be appended at each look.
    """
    names = ("kind", "model_version", "stage", "alias", "expected_head", "origin")
    for refusal in state.refusals.values():
        if all(getattr(refusal.event, name) == getattr(event, name) for name in names):
            return refusal.message
    return ""
