"""What a model's registry events come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from driftline.domain.streams import PRODUCTION
from driftline.registry.events import Kind, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from driftline.registry.events import RegistryEvent


def in_environment(name: str) -> str:
    """Return where something is, for a message; of production it is left out."""
    return "" if name == PRODUCTION else f" in {name}"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a model.

    Args:
        model_name: whose.
        name: the version; mostly a number.
        training_run_id: the run that made it.
        registered_at: when, by the clock of who registered it.
        registered_by: who did; empty: not known.
        artifact_uri: where the model lies; None: not given.
        artifact_sha256: digest of the artifact; None: not known.
        origin_sha256: digest of what another registry held of it, as it was copied last; None: it was not.
    """

    model_name: str
    name: str
    training_run_id: str
    registered_at: datetime
    registered_by: str
    artifact_uri: str | None
    artifact_sha256: str | None
    origin_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A decision that counts.

    Args:
        event: as it was written.
        before: the stage that the version had there, or the version that the alias named; empty: none.
        after: the same, since.
        production_before: the version that was in production there until then; empty: none was.
        production_after: the version that is in production there since; empty: none is.
    """

    event: RegistryEvent
    before: str
    after: str
    production_before: str = ""
    production_after: str = ""

    def __str__(self) -> str:
        event = self.event
        why = f": {event.reason}" if event.reason else ""
        by = f" by {event.written_by}" if event.written_by else ""
        return f"{self.what}{by} at {event.event_time:%Y-%m-%d %H:%M:%S} UTC{why}"

    @property
    def what(self) -> str:
        """What it did, in words."""
        event = self.event
        if event.kind == Kind.ALIAS:
            return f"alias {event.alias} moved from {self.before or 'nothing'} to {self.after or 'nothing'}"
        if event.kind == Kind.ROLLBACK:
            return (
                f"{event.environment} was rolled back from {self.production_before} to {event.model_version}"
            )
        where = in_environment(event.environment)
        return f"version {event.model_version} went from {self.before} to {self.after}{where}"


class Refused(StrEnum):
    """Why an event does not count."""

    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_STAGE = "unknown_stage"
    UNKNOWN_VERSION = "unknown_version"
    BAD_NAME = "bad_name"
    TAKEN = "taken"
    STALE = "stale"
    NO_CHANGE = "no_change"
    ARCHIVED = "archived"
    NOTHING_BEFORE = "nothing_before"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that does not count.

    Args:
        event: as it was written.
        reason: why.
        message: the same for a person: what is wrong, and what there is.
    """

    event: RegistryEvent
    reason: Refused
    message: str


@dataclass(frozen=True, slots=True)
class ModelState:
    """What a model's events come to.

    Args:
        model_name: which.
        versions: by name, in the order in which they were registered.
        stages: of versions that were ever given one, by environment and version.
        aliases: the version that each names.
        heads: the event_id of the last event that moved anything, by environment, and for aliases by ``@``
            and alias.
        earlier: the versions that were in production before, by environment, the newest last.
        moves: what counts, in the order of the log.
        refusals: what does not, by event_id.
        seen: event_ids of all events.
        project: that it belongs to; empty: to none.
    """

    model_name: str
    versions: Mapping[str, Version] = field(default_factory=dict)
    stages: Mapping[tuple[str, str], Stage] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    heads: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, Sequence[str]] = field(default_factory=dict)
    moves: Sequence[Move] = ()
    refusals: Mapping[str, Refusal] = field(default_factory=lambda: MappingProxyType({}))
    seen: frozenset[str] = frozenset()
    project: str = ""

    def stage(self, version: str, environment: str = PRODUCTION) -> Stage:
        """Return a version's stage in an environment."""
        return self.stages.get((environment, version), Stage.CANDIDATE)

    def at_stage(self, stage: Stage, environment: str = PRODUCTION) -> Sequence[str]:
        """Return the versions that have a stage in an environment; of production there is one at most."""
        return [name for name in self.versions if self.stage(name, environment) == stage]

    def in_production(self, environment: str = PRODUCTION) -> str | None:
        """Return the version that is in production in an environment; None: none is."""
        return next(iter(self.at_stage(Stage.PRODUCTION, environment)), None)

    def previous(self, environment: str = PRODUCTION) -> str | None:
        """Return what a rollback puts back: what was in production before, and is not archived."""
        for name in reversed(self.earlier.get(environment, ())):
            if self.stage(name, environment) != Stage.ARCHIVED:
                return name
        return None

    @property
    def environments(self) -> Sequence[str]:
        """The environments in which anything was decided; ``production`` first."""
        known = {environment for environment, _ in self.stages}
        return [PRODUCTION, *sorted(known - {PRODUCTION})]

    def next_number(self) -> str:
        """Return the number that the next version gets when it is given none: one above the highest."""
        return str(1 + max((int(name) for name in self.versions if name.isdecimal()), default=0))

    def declared(self, at: datetime, environment: str = PRODUCTION) -> Move | None:
        """Return what decided the version in production at a time; its ``production_after`` is that version.

        The last decision that was written by then counts, in the order of the log, whatever the clocks of
        those before it were.
        """
        by_then = [move for move in self.production_moves(environment) if move.event.event_time <= at]
        return by_then[-1] if by_then else None

    def production_moves(self, environment: str = PRODUCTION) -> Sequence[Move]:
        """Return the decisions that changed what is in production in an environment."""
        return [
            move
            for move in self.moves
            if move.event.kind != Kind.ALIAS
            and move.event.environment == environment
            and move.production_after != move.production_before
        ]

    def stage_at(self, version: str, at: datetime, environment: str = PRODUCTION) -> Stage | None:
        """Return a version's stage at a time; None: it was not registered by then."""
        known = self.versions.get(version)
        if known is None or known.registered_at > at:
            return None
        stage = Stage.CANDIDATE
        for move in self.moves:
            event = move.event
            if event.kind == Kind.ALIAS or event.environment != environment or event.event_time > at:
                continue
            if event.model_version == version:
                stage = Stage(move.after)
            elif move.production_before == version != move.production_after:
                stage = Stage.CANDIDATE
        return stage
