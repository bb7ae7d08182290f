"""Copies one version of MLflow's registry, with its run, into driftline's; unless it was copied as it is."""

from __future__ import annotations

import random as random_module
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import SettingError
from driftline.log import Record
from driftline.log.appending import append_patiently
from driftline.mlflow.earlier import earlier_fields
from driftline.mlflow.files import LIMIT_BYTES, read_model_files
from driftline.mlflow.intake import Subject, take_in
from driftline.mlflow.source import place_of
from driftline.registry.decisions import Author
from driftline.registry.events import Kind
from driftline.registry.policy import Policy
from driftline.sdk.arguments import check_name
from driftline.wire import TRAINING_RUNS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.log import EventLog
    from driftline.mlflow.seen import SeenVersion
    from driftline.mlflow.source import Source
    from driftline.registry.client import Registry
    from driftline.registry.state import ModelState, Version

TIMEOUT_S: Final = 60.0
"""How long to wait for the log."""

_LONGEST_ORIGIN = 500
_ANYTHING: Final = Policy()
_system_random = random_module.SystemRandom().getrandbits


def origin_of(source: Source) -> str:
    """Return what an MLflow is called in events that were copied from it."""
    return source.url[:_LONGEST_ORIGIN]


@dataclass(frozen=True, slots=True)
class Copied:
    """A version that was registered.

    Args:
        subject: the version.
        is_new: whether it was not known here.
        notes: what was left out, and why.
    """

    subject: Subject
    is_new: bool
    notes: Sequence[str]


class Copier:
    """Copies versions, one by one.

    Args:
        source: which MLflow.
        registry: of the log.
        log: where runs go; one without a spill.
        limit_bytes: of larger models no digests are made.
        policy: says what a run may leave out.
        random: a source of random bits.
        timeout_s: how long to wait for the log.
    """

    def __init__(
        self,
        source: Source,
        registry: Registry,
        log: EventLog,
        *,
        limit_bytes: int = LIMIT_BYTES,
        policy: Policy = _ANYTHING,
        random: Callable[[int], int] = _system_random,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._source = source
        self._registry = registry
        self._log = log
        self._limit_bytes = limit_bytes
        self._policy = policy
        self._random = random
        self._timeout_s = timeout_s

    def copy(
        self, version: SeenVersion, state: ModelState, *, more: Mapping[str, Any] | None = None
    ) -> Copied | None:
        """Copy a version; return None where it is known as it is, or known from elsewhere.

        The run comes first, so that what is known of a version is there once the version is. Should this
        process end in between, the run is registered again, and is the same revision.

        Args:
            version: as MLflow says it.
            state: of its model here.
            more: as in ``take_in``.

        Raises:
            SettingError: the model's name is none for driftline, another run has the version here, or the
                policy forbids to leave out what MLflow does not say.
            MlflowError: MLflow does not answer, or refuses.
            RefusedEventError: somebody registered the version meanwhile, by another run.
            LogError: the log does not take it.
        """
        check_name("the model's name", version.model_name)
        check_name("the version", version.version)
        subject, known = self._subject(version), state.versions.get(version.version)
        if known is not None and known.training_run_id != subject.run_id:
            raise SettingError(_taken(subject, known))
        if known is not None and not _may_differ(subject, known):
            return None
        place = place_of(version, subject.run, subject.logged, self._source.url)
        files = read_model_files(self._source, place, limit_bytes=self._limit_bytes)
        digest = subject.digest(is_whole=not files.unread)
        if known is not None and known.origin_sha256 == digest:
            return None
        if known is not None:
            more = {**earlier_fields(self._log, version.model_name, subject.run_id), **(more or {})}
        intake = take_in(subject, files=files, place=place, url=self._source.url, more=more)
        self._policy.check_waivers(intake.waived)
        record = Record(TRAINING_RUNS_TOPIC, subject.run_id.encode(), intake.record)
        append_patiently(self._log, record, timeout_s=self._timeout_s)
        registered = Author(
            subject.author, lambda: version.created_ms / 1000, self._random, origin_of(self._source)
        )
        event = registered.event(
            version.model_name,
            Kind.VERSION,
            model_version=version.version,
            training_run_id=subject.run_id,
            artifact_uri=intake.artifact.uri,
            artifact_sha256=intake.artifact.sha256,
            origin_sha256=digest,
        )
        self._registry.submit(event, timeout_s=self._timeout_s)
        return Copied(subject, known is None, intake.notes)

    def _subject(self, version: SeenVersion) -> Subject:
        logged_id = version.logged_model_id
        logged = self._source.logged_model(logged_id) if logged_id else None
        run_id = Subject(version, logged=logged).named_run_id
        return Subject(version, self._source.run(run_id) if run_id else None, logged)


def _may_differ(subject: Subject, known: Version) -> bool:
    """Return whether MLflow may say more than is known here."""
    if known.origin_sha256 is None or subject.is_poor:
        # It was registered here, with more than MLflow knows; or MLflow has lost what was copied.
        return False
    return known.origin_sha256 != subject.digest(is_whole=True)


def _taken(subject: Subject, known: Version) -> str:
    return (
        f"here it is run {known.training_run_id}'s, registered at {known.registered_at:%Y-%m-%d %H:%M} UTC "
        f"by {known.registered_by or 'somebody'}, and in MLflow run {subject.run_id}'s; a version is given "
        "once. Have numbers given by one of both"
    )
