"""Registers what a training script on MLflow trains, when its run ends; that takes one more line in it.

Whatever goes wrong is a warning: training goes on as without it, and ``driftline mlflow sync`` brings later
what is in MLflow.
"""

from __future__ import annotations

import atexit
import functools
import json
import logging
import os
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.errors import SettingError
from driftline.log import opened_log
from driftline.mlflow.client import source_of
from driftline.mlflow.copying import TIMEOUT_S, Copier
from driftline.mlflow.files import LIMIT_BYTES
from driftline.mlflow.seen import READY, SeenVersion
from driftline.registry.client import Registry
from driftline.registry.policy import POLICY_VARIABLE, read_policy
from driftline.registry.state import ModelState
from driftline.sdk.code import code_state
from driftline.sdk.environments import PACKAGES, installed_packages, read_environment
from driftline.sdk.runtime import runtime_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.log import EventLog
    from driftline.mlflow.seen import SeenRun

_FINISHED = "FINISHED"
_CHILD = "mlflow.parentRunId"
_HISTORY = "mlflow.log-model.history"
_SCRIPT = "mlflow.source.name"
_DIGITS = 12
_MARK = "driftline_autolog"
_LATER = "'driftline mlflow sync' can copy later what MLflow has registered"
_logger = logging.getLogger("driftline.mlflow")


@dataclass(frozen=True, slots=True)
class AutologSettings:
    """How runs are registered.

    Args:
        model_name: of runs whose model is not registered in MLflow; None: the experiment's name.
        log: the event log's URL, or a log; None: as in ``PredictionLogger``.
        environment: a file that rebuilds the environment, for models that bring none.
        keep_changes: whether changes of the work tree are kept as a patch.
        limit_bytes: of larger models no digests are made.
        timeout_s: how long to wait for the log.
    """

    model_name: str | None = None
    log: str | EventLog | None = None
    environment: str | os.PathLike[str] | None = None
    keep_changes: bool = False
    limit_bytes: int = LIMIT_BYTES
    timeout_s: float = TIMEOUT_S


def autolog(
    model_name: str | None = None,
    *,
    log: str | EventLog | None = None,
    environment: str | os.PathLike[str] | None = None,
    keep_changes: bool = False,
    limit_bytes: int = LIMIT_BYTES,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Register each run of MLflow that ends in this process, with the versions that it registers there.

    To be called once, before training. A version has MLflow's number; a run whose model is not registered
    in MLflow is version ``run-`` and the beginning of its id, so that it is in no number's way. Runs that
    failed are not registered, nor are runs within another one, unless MLflow registered their model. Calling
    it again replaces what was asked for before.

    What MLflow does not know is found here: the commit and the changes of the work tree around the current
    folder, and the packages that are installed.

    Args:
        model_name: of runs whose model is not registered in MLflow. Default: the experiment's name.
        log: the event log's URL, or a log. Default: as in ``PredictionLogger``.
        environment: a lock file, requirements, a conda file or a Dockerfile, for models that bring none.
        keep_changes: whether changes of the work tree are kept as a patch.
        limit_bytes: of models with more bytes than these, no file is read for its digest.
        timeout_s: how long to wait for the log at most, seconds.

    Raises:
        SettingError: MLflow is not installed here, or the environment's file can't be read.
    """
    try:
        from mlflow import MlflowClient  # noqa: PLC0415  only whoever calls this has it
    except ImportError as error:
        raise SettingError(f"there is no MLflow here whose runs could be registered: {error}") from error
    if environment is not None:
        read_environment(environment)  # Else it would be found out when training has ended.
    settings = AutologSettings(model_name, log, environment, keep_changes, limit_bytes, timeout_s)
    before = getattr(MlflowClient.set_terminated, _MARK, None)
    hook = before or _Hook(settings)
    hook.settings = settings
    if before is None:
        hook.install(MlflowClient)
        atexit.register(hook.finish)


class _Hook:
    """What MLflow's client calls, from whatever threads it is used in.

    Args:
        settings: how runs are registered.
    """

    def __init__(self, settings: AutologSettings) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._ended: dict[str, Any] = {}

    def install(self, client_class: Any) -> None:
        """Have a class of clients call this when a run ends, and when a version was made."""
        after = {
            "set_terminated": self._after_run,
            "create_model_version": self._after_version,
            # What mlflow.register_model and log_model(registered_model_name=...) call.
            "_create_model_version": self._after_version,
        }
        for name, call in after.items():
            original = getattr(client_class, name, None)
            if original is not None:
                setattr(client_class, name, self._wrapped(original, call))

    def _wrapped(self, original: Callable[..., Any], after: Callable[..., None]) -> Callable[..., Any]:
        @functools.wraps(original)
        def wrapped(client: Any, *args: Any, **kwargs: Any) -> Any:
            answer = original(client, *args, **kwargs)
            with self._lock:
                try:
                    after(client, answer, *args, **kwargs)
                except Exception as error:  # noqa: BLE001  training is not to fail for it
                    _logger.warning(
                        "a run of MLflow was not registered: %s; 'driftline mlflow sync' can do it later",
                        error,
                    )
            return answer

        setattr(wrapped, _MARK, self)
        return wrapped

    def _after_run(
        self, client: Any, answer: Any, run_id: str, status: str | None = None, *others: Any, **named: Any
    ) -> None:
        del answer, others, named
        if status in {None, _FINISHED}:
            self._ended[run_id] = client
            self._register(client, run_id)

    def _after_version(self, client: Any, answer: Any, *others: Any, **named: Any) -> None:
        del others, named
        run_id = getattr(answer, "run_id", "") or ""
        if run_id in self._ended:  # Else it is registered when its run ends, with all that was measured.
            self._register(client, run_id)

    def finish(self) -> None:
        """Register what was made of runs since they ended, by ways that nobody reported."""
        for run_id, client in list(self._ended.items()):
            try:
                self._register(client, run_id)
            except Exception as error:  # noqa: BLE001  as above
                _logger.warning("run %s of MLflow was not registered: %s; %s", run_id, error, _LATER)

    def _register(self, client: Any, run_id: str) -> None:
        """Register the versions that a run made, or the run as one.

        Raises:
            DriftlineError: MLflow or the log does not do its part.
        """
        source = source_of(client)
        run = source.run(run_id)
        if run is None:
            return
        versions: Sequence[SeenVersion] = [
            each for each in source.versions_of_run(run_id) if each.status == READY
        ]
        if not versions and _CHILD not in run.tags:
            versions = [self._unregistered(client, run)]
        more = self._found_here(run)
        with (
            opened_log(self.settings.log) as opened,
            opened.without_spill() as log,
            closing(Registry(log)) as registry,
        ):
            copier = Copier(
                source,
                registry,
                log,
                limit_bytes=self.settings.limit_bytes,
                policy=read_policy(os.environ.get(POLICY_VARIABLE)),
                timeout_s=self.settings.timeout_s,
            )
            for version in versions:
                state = registry.read().get(version.model_name) or ModelState(version.model_name)
                if copier.copy(version, state, more=more):
                    _logger.info("%s version %s: run %s", version.model_name, version.version, run_id)

    def _unregistered(self, client: Any, run: SeenRun) -> SeenVersion:
        """Return a run as a version that MLflow has not."""
        name = self.settings.model_name
        if name is None:
            experiment_id = client.get_run(run.run_id).info.experiment_id
            name = str(client.get_experiment(experiment_id).name)
        return SeenVersion(
            model_name=name,
            version=f"run-{run.run_id[:_DIGITS]}",
            run_id=run.run_id,
            model_id=run.model_ids[-1] if run.model_ids else "",
            source=_logged_place(run),
            created_ms=run.end_ms or run.start_ms,
            user=run.user,
            tags={},
        )

    def _found_here(self, run: SeenRun) -> Mapping[str, Any]:
        """Return what is known of the code and the environment in this process.

        Raises:
            SettingError: the work tree has too many changes to be kept.
        """
        script = Path(run.tags.get(_SCRIPT, "")).parent
        code = code_state(script if script.is_absolute() and script.is_dir() else Path.cwd())
        path = self.settings.environment
        found = installed_packages() if path is None else read_environment(path)
        return {
            "git_commit": code.commit,
            "git_branch": code.branch,
            "git_remote": code.remote,
            "git_dirty": code.is_dirty,
            "git_changes_sha256": code.changes_sha256,
            "git_changes": code.kept_changes() if self.settings.keep_changes else None,
            "environment_kind": found.kind if found.text else PACKAGES,
            "environment_sha256": found.sha256,
            "environment_text": found.kept_text,
            "runtime": dict(runtime_versions()),
        }


def _logged_place(run: SeenRun) -> str:
    """Return where MLflow 2 says that a run logged its model; empty: nowhere."""
    try:
        logged = json.loads(run.tags.get(_HISTORY, "[]"))
        path = str(logged[-1]["artifact_path"])
    except (ValueError, LookupError, TypeError):
        return ""
    return f"{run.artifact_uri.rstrip('/')}/{path}"
