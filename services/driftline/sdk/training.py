"""Registering a training run: what every prediction of its model version is traced back to."""

from __future__ import annotations

import random as random_module
import time
from contextlib import closing
from os import environ
from typing import TYPE_CHECKING, Any, Self

from driftline.domain.streams import REFERENCE
from driftline.errors import LogError, SettingError
from driftline.log import EventLog, Record, opened_log
from driftline.log.appending import append_patiently
from driftline.registry.client import RefusedEventError, Registry
from driftline.registry.decisions import Author, somebody
from driftline.registry.events import Kind
from driftline.registry.policy import POLICY_VARIABLE, read_policy
from driftline.registry.state import ModelState, Refused
from driftline.sdk.arguments import check_name, check_text
from driftline.sdk.artifacts import Artifact, read_artifact
from driftline.sdk.data import DataReference, categories_among, data_references, features_of_run
from driftline.sdk.logger import PredictionLogger
from driftline.sdk.origins import code_of, measures_of, origins_of
from driftline.sdk.reference import Reference
from driftline.sdk.runtime import runtime_versions
from driftline.wire import TRAINING_RUN, TRAINING_RUNS_TOPIC, encode_record, new_id

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Mapping, Sequence

_NUMBERINGS = 100
_IDENTITY = ("model_name", "model_version", "training_run_id")
_system_random = random_module.SystemRandom().getrandbits


class RegisteredRun(str):
    """A training_run_id, which knows its model version.

    Attributes:
        model_version: the version that the run made.
    """

    __slots__ = ("model_version",)

    model_version: str

    @classmethod
    def of(cls, training_run_id: str, model_version: str) -> Self:
        """Return a run's id with its version."""
        run = cls(training_run_id)
        run.model_version = model_version
        return run


def register_training_run(
    training_run_id: str | None = None,
    *,
    model_name: str,
    model_version: str | None = None,
    project: str | None = None,
    log: str | EventLog | None = None,
    artifact: str | os.PathLike[str] | None = None,
    artifact_uri: str | None = None,
    artifact_sha256: str | Mapping[str, str] | None = None,
    git_commit: str | None = None,
    git_dirty: bool | None = None,
    keep_changes: bool = False,
    environment: str | os.PathLike[str] | None = None,
    data: DataReference | str | Sequence[DataReference | str] | None = None,
    data_uri: str | None = None,
    data_fingerprint: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    cost: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    waive: Mapping[str, str] | None = None,
    registered_by: str | None = None,
    reference: Any = None,
    reference_predictions: Any = None,
    reference_labels: Any = None,
    reference_event_times: Any = None,
    reference_actuals: Any = None,
    reference_tags: Mapping[str, Any] | None = None,
    timeout_s: float = 60.0,
    clock: Callable[[], float] = time.time,
    random: Callable[[int], int] = _system_random,
    categorical: Collection[str] | None = None,
) -> RegisteredRun:
    """Register a training run and the model version that it made, with the rows to compare serving with.

    A run says where its artifact lies, which code, environment and data made it; without one of them it is
    refused, unless ``waive`` says why. The version becomes a candidate: ``driftline models promote`` has it
    serve. A version is given once, and belongs to the run that registered it; the same run may be registered
    again, as a new revision.

    The reference rows are logged as predictions of environment ``reference`` under the run, by a
    ``PredictionLogger``: training and serving are profiled by the same code. They should be rows that
    the model has not been fitted to. The run itself comes last, so that a run which is known is known
    in whole. Registered again with reference rows, the run has these as its reference, and no others: rules
    and grids are learned anew. Unlike logging, this raises: it is part of training, not of serving. It needs
    the log alone, no store. On Kafka it returns when the brokers have acknowledged everything; nothing waits
    on this host's disk, where a training job that ends may leave it for ever.

    Args:
        training_run_id: identity of the run. Default: a new UUIDv7.
        model_name: the model that was trained.
        model_version: the version that the run made. Default: the next number of the model.
        project: that the model belongs to since. Default: the one that it is in, at first none.
        log: the event log's URL, or a log. Default: as in ``PredictionLogger``.
        artifact: the trained model, a file or a folder on this host: the digest of each file is kept.
        artifact_uri: where those who serve it find it. Default: at ``artifact``.
        artifact_sha256: digest that the file has to have, or digests by path in the folder; of what lies
            elsewhere they are kept as they are.
        git_commit: commit of the training code. Default: that of the work tree around the current
            folder, if there is one, with its branch, its remote and a digest of its changes.
        git_dirty: whether the work tree had changes besides. Default: found likewise.
        keep_changes: whether these changes are kept as a patch, so that they can be rebuilt.
        environment: a lock file, requirements, a conda file or a Dockerfile. Default: all packages that are
            installed here, with their versions.
        data: what the run learned from and was measured on: references, or texts that say where it lies.
        data_uri: where the training data lies, with its version, in place of ``data``.
        data_fingerprint: its checksum, with the algorithm's name: ``sha256:...``.
        parameters: hyperparameters; kept as text.
        metrics: what was measured of the model: numbers by name, or by data set and name, which are then
            called ``test/auc``.
        cost: what it cost, in seconds: wall_s, cpu_s, gpu_s.
        features: type by feature. Default: those of ``reference``, where it is a table with types.
        tags: whatever else the run is to be found by; kept as text.
        waive: why the run does not say one of artifact, code, environment, data.
        registered_by: who registers it. Default: the user and the host.
        reference: features of n reference rows: a DataFrame, an Arrow table or a dict of columns.
        reference_predictions: what the model predicts for them. Length n.
        reference_labels: the classes decided for. Length n.
        reference_event_times: when the rows are from. Length n. Default: now.
        reference_actuals: their truths, logged as outcomes; None and NaN: not known. Length n.
        reference_tags: segments of the rows: by name, a column or one value for all.
        timeout_s: how long to wait for the log at most, seconds.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: a source of random bits.
        categorical: features that are categories, whatever the type of their values: ``store_id``. So are
            those that ``features`` says are ``categorical``, and columns of pandas and Arrow that are
            categories of something else than texts. Whatever serves the model, they are counted so.

    Returns:
        The training_run_id, to be given to ``PredictionLogger``; its ``model_version`` is the version.

    Raises:
        SettingError: (a ValueError) an argument is wrong, something is missing and not waived, an artifact's
            file differs from its digest, or the version is another run's. No row was logged.
        LogError: the log takes nothing, or a reference row is too large for it. Some reference rows may
            have been logged.
    """
    author = Author(somebody() if registered_by is None else registered_by, clock, random)
    run_id = new_id(clock, random) if training_run_id is None else training_run_id
    names = {"training_run_id": run_id, "model_name": model_name, "model_version": model_version}
    _check_names({**names, **({} if project is None else {"project": project})})
    _check_places(artifact_uri=artifact_uri, data_uri=data_uri, data_fingerprint=data_fingerprint)
    rows = Reference.from_arguments(
        actuals=reference_actuals,
        features=reference,
        predictions=reference_predictions,
        labels=reference_labels,
        event_times=reference_event_times,
        tags=reference_tags,
    )
    model = read_artifact(artifact, artifact_uri, artifact_sha256)
    code = code_of(git_commit, git_dirty, keep_changes=keep_changes)
    types = features_of_run(reference, features, categorical)
    event = {
        **names,
        **origins_of(model, code, environment, data_references(data, data_uri, data_fingerprint), waive),
        **measures_of(parameters=parameters, metrics=metrics, cost=cost, features=types, tags=tags),
        "reference_rows": 0 if rows is None else rows.length,
        "project": project or "",
    }
    read_policy(environ.get(POLICY_VARIABLE)).check_waivers(event["waived"])
    return _publish(log, author, event, model, rows, timeout_s=timeout_s)


def _publish(
    log: str | EventLog | None,
    author: Author,
    event: dict[str, Any],
    model: Artifact,
    rows: Reference | None,
    *,
    timeout_s: float,
) -> RegisteredRun:
    """Register the version, log the reference rows, and then the run.

    Raises:
        SettingError: the version is another run's.
        LogError: the log does not take all of it.
    """
    clock, random, run_id = author.clock, author.random, event["training_run_id"]
    with opened_log(log) as opened, opened.without_spill() as target:
        version = _claim(target, author, event, model, timeout_s=timeout_s)
        del event["project"]  # It is the model's, and stands in the registry.
        event |= {
            "model_version": version,
            "registered_time": int(clock() * 1e6),
            "registered_by": author.name,
            "runtime": runtime_versions(),
        }
        if rows is not None:
            options: dict[str, Any] = {name: event[name] for name in _IDENTITY}
            options |= {"environment": REFERENCE, "categorical": categories_among(event["features"])}
            with PredictionLogger(**options, log=target, clock=clock, random=random) as logger:
                rows.log(logger, timeout_s)
                event["reference_session_id"] = logger.session_id
        record = Record(TRAINING_RUNS_TOPIC, run_id.encode(), encode_record(TRAINING_RUN, event))
        append_patiently(target, record, timeout_s=timeout_s)
    return RegisteredRun.of(run_id, event["model_version"])


def _claim(
    log: EventLog,
    author: Author,
    event: Mapping[str, Any],
    model: Artifact,
    *,
    timeout_s: float,
) -> str:
    """Register the version; return it. Without one, take the next number, until nobody else was faster.

    Raises:
        SettingError: the version is another run's.
        LogError: the log does not take it, or does not give it back.
    """
    version = event["model_version"]
    with closing(Registry(log)) as registry:
        for _ in range(_NUMBERINGS):
            name: str = version or _next_number(registry, event)
            claim = author.event(
                event["model_name"],
                Kind.VERSION,
                model_version=name,
                training_run_id=event["training_run_id"],
                artifact_uri=model.uri,
                artifact_sha256=model.sha256,
                project=event["project"],
            )
            try:
                registry.submit(claim, timeout_s=timeout_s)
            except RefusedEventError as error:
                if version is None and error.refusal.reason is Refused.TAKEN:
                    continue
                raise SettingError(str(error)) from None
            return name
    raise LogError(f"{event['model_name']}: {_NUMBERINGS} numbers were taken by others meanwhile; try again")


def _next_number(registry: Registry, event: Mapping[str, Any]) -> str:
    """Return the next number; of a run that was registered before, its version."""
    state = registry.read().get(event["model_name"]) or ModelState(event["model_name"])
    own = [each for each in state.versions.values() if each.training_run_id == event["training_run_id"]]
    return own[-1].name if own else state.next_number()


def _check_names(names: Mapping[str, str | None]) -> None:
    """Check names; a version may be missing.

    Raises:
        SettingError: one is empty, too long, or no text.
    """
    for name, text in names.items():
        if name != "model_version" or text is not None:
            check_name(name, text)


def _check_places(**places: str | None) -> None:
    """Check texts that may be missing, but not empty.

    Raises:
        SettingError: one is empty, or no text.
    """
    for name, text in places.items():
        if text is not None:
            check_text(name, text)
