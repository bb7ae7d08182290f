"""Which version of a model is to serve: looked up in the log, once or whenever it changes.

``flight-delay@production`` is the version in production, ``flight-delay@champion`` the one that an alias
names. A process reads the registry's topic for that, which is small; it needs neither a store nor a
consumer group.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from driftline.domain.streams import PRODUCTION
from driftline.errors import DriftlineError, NotFoundError, SettingError
from driftline.log import EventLog, LogWriter, opened_log
from driftline.registry.client import Registry, known_model
from driftline.registry.events import Stage
from driftline.registry.policy import Handling, read_policy
from driftline.sdk.arguments import check_name, environment_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from driftline.registry.state import ModelState

WATCH_INTERVAL_S = 3.0
"""How often a watch reads the log."""

_SERVING = (Stage.PRODUCTION, Stage.CANARY, Stage.SHADOW)
_logger = logging.getLogger("driftline.sdk")


@dataclass(frozen=True, slots=True)
class DeployedModel:
    """The version that a reference named when it was looked up.

    Args:
        model_name: which model.
        model_version: which version.
        training_run_id: the run that made it.
        artifact_uri: where it lies; None: not given.
        artifact_sha256: digest of its file, or of the list of its files; None: not known.
    """

    model_name: str
    model_version: str
    training_run_id: str
    artifact_uri: str | None
    artifact_sha256: str | None

    @property
    def names(self) -> Mapping[str, str]:
        """What ``PredictionLogger`` is made with."""
        return {
            "model_name": self.model_name,
            "model_version": self.model_version,
            "training_run_id": self.training_run_id,
        }


def resolve_model(
    reference: str, *, log: str | EventLog | None = None, environment: str = PRODUCTION
) -> DeployedModel:
    """Return the version that a reference names now. Blocks for the log.

    Args:
        reference: ``MODEL@production``, or canary or shadow, or ``MODEL@ALIAS``.
        log: the event log's URL, or a log. Default: as in ``PredictionLogger``.
        environment: where the stage counts.

    Raises:
        SettingError: it is no reference, or names several versions.
        NotFoundError: it names none; the message lists what can be named.
        LogError: the log can't be used now.
    """
    model_name, name = _parts(reference)
    with _registry(log) as registry:
        return resolved(known_model(registry.read(), model_name), name, environment)


def resolved(state: ModelState, name: str, environment: str = PRODUCTION) -> DeployedModel:
    """Return the version that a stage or an alias names by a model's state.

    Raises:
        SettingError: it names several.
        NotFoundError: it names none; the message lists what can be named.
    """
    if name in _SERVING:
        versions = state.at_stage(Stage(name), environment)
    else:
        versions = [state.aliases[name]] if name in state.aliases else []
    if len(versions) > 1:
        raise SettingError(
            f"{state.model_name}@{name} names several versions in {environment}, {', '.join(versions)}: give "
            "one of them an alias"
        )
    if not versions:
        choices = _choices(state, environment)
        raise NotFoundError(f"{state.model_name}@{name} names no version in {environment}; {choices}")
    version = state.versions[versions[0]]
    return DeployedModel(
        version.model_name,
        version.name,
        version.training_run_id,
        version.artifact_uri,
        version.artifact_sha256,
    )


def logger_names(
    given: Mapping[str, str], log: str | EventLog | LogWriter | None, policy_file: str | None
) -> dict[str, str]:
    """Return a logger's names, checked; where its model is a mere reference, what that names.

    Args:
        given: model_name, model_version, training_run_id and environment.
        log: of the logger.
        policy_file: says in which environments a version has to be registered; None: in none.

    Raises:
        SettingError: a name is wrong, the log can't be read from, or the policy refuses the version.
        NotFoundError: as ``resolve_model``; so is LogError.
    """
    names = _resolved_names(given, log)
    for name, text in names.items():
        check_name(name, text)
    names["environment"] = environment_name(names["environment"])
    policy = read_policy(policy_file)
    if policy.handling(names["environment"]) is Handling.REFUSE:
        with _registry(_readable(log, f"version {names['model_version']!r}")) as registry:
            policy.check_served(registry.read().get(names["model_name"]), names)
    return names


def _resolved_names(given: Mapping[str, str], log: str | EventLog | LogWriter | None) -> dict[str, str]:
    model = given["model_name"]
    if not isinstance(model, str) or "@" not in model or given["model_version"] or given["training_run_id"]:
        return dict(given)
    environment = given["environment"]
    where = PRODUCTION if environment in _SERVING else environment
    source = _readable(log, f"model_name={model!r}")
    return {**given, **resolve_model(model, log=source, environment=where).names}


def _readable(log: str | EventLog | LogWriter | None, what: str) -> str | EventLog | None:
    """Return a log that can be read from.

    Raises:
        SettingError: it can't; the message says what was to be looked up.
    """
    if log is not None and not isinstance(log, str) and not hasattr(log, "scan"):
        raise SettingError(f"{what} is looked up in the log: give log= as a URL or as a log")
    source: Any = log
    return source  # type: ignore[no-any-return]  # It can be read, as was just seen.


class ModelWatch:
    """Calls back when the version that a reference names has moved, from a thread of its own.

    To be made in the process that serves, so after a fork. While the log is unavailable it goes on trying.

    Args:
        reference: as in ``resolve_model``.
        on_move: is called with the version before and the version now; None: no version was, or is, named.
            An exception in it is logged, and the watch goes on.
        log: as in ``resolve_model``.
        environment: as in ``resolve_model``.
        known: the version that is being served; None: what the reference names when the watch begins.
        interval_s: how often to read the log, seconds.

    Raises:
        SettingError: it is no reference.
    """

    def __init__(
        self,
        reference: str,
        on_move: Callable[[DeployedModel | None, DeployedModel | None], object],
        *,
        log: str | EventLog | None = None,
        environment: str = PRODUCTION,
        known: DeployedModel | None = None,
        interval_s: float = WATCH_INTERVAL_S,
    ) -> None:
        self._model_name, self._name = _parts(reference)
        self._on_move = on_move
        self._environment = environment
        self._known = known
        self._has_looked = known is not None
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(log,), name="driftline-model-watch", daemon=True
        )
        self._thread.start()

    def _run(self, log: str | EventLog | None) -> None:
        is_unavailable = False
        while not self._stop.is_set():
            try:
                with _registry(log) as registry:
                    while not self._stop.is_set():
                        self._look(registry)
                        is_unavailable = False
                        self._stop.wait(self._interval_s)
            except DriftlineError as error:
                if not is_unavailable:
                    _logger.warning("%s@%s can't be watched now: %s", self._model_name, self._name, error)
                is_unavailable = True
                self._stop.wait(self._interval_s)

    def _look(self, registry: Registry) -> None:
        state = registry.read().get(self._model_name)
        try:
            now = None if state is None else resolved(state, self._name, self._environment)
        except NotFoundError:
            now = None
        before, self._known = self._known, now
        if not self._has_looked:
            self._has_looked = True
        elif before != now:
            try:
                self._on_move(before, now)
            except Exception:
                _logger.exception("what was to be done when %s@%s moved failed", self._model_name, self._name)

    def close(self) -> None:
        """End the watch."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _parts(reference: str) -> tuple[str, str]:
    model_name, at, name = reference.rpartition("@") if isinstance(reference, str) else ("", "", "")
    if not at or not model_name or not name:
        raise SettingError(f"{reference!r} names no version: write MODEL@production, or MODEL@ALIAS")
    return model_name, name


def _choices(state: ModelState, environment: str) -> str:
    """Return what can be named, for a message."""
    stages = [
        f"@{stage} ({', '.join(versions)})"
        for stage in _SERVING
        if (versions := state.at_stage(stage, environment))
    ]
    found = [*stages, *(f"@{alias} ({version})" for alias, version in state.aliases.items())]
    if found:
        return f"there is {', '.join(found)}"
    return "nothing is in production, and there is no alias: 'driftline models promote' decides that"


@contextmanager
def _registry(log: str | EventLog | None) -> Iterator[Registry]:
    with opened_log(log) as opened, closing(Registry(opened)) as registry:
        yield registry
