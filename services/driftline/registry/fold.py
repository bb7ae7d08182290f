"""From a model's registry events, in the order of the log, to its state. Pure: equal logs, equal states.

Every reader applies the same events in the same order, so each comes to the same state, and knows which
events count; nobody has to be asked. An event that was written from a state that is no longer the newest
(``expected_head``) does not count: of two that move the same thing at once, the first in the log does.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.registry.events import STAGES, Kind, Stage
from driftline.registry.state import ModelState, Move, Refusal, Refused, Version, in_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from driftline.registry.events import RegistryEvent

_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")
_LISTED = 12


class _RefusedError(Exception):
    def __init__(self, reason: Refused, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def fold(events: Iterable[RegistryEvent]) -> Mapping[str, ModelState]:
    """Return the state of each model.

    Args:
        events: of any models; those of one model in the order of the log. Repeated ones change nothing.
    """
    folds: dict[str, _Fold] = {}
    for event in events:
        name = event.model_name
        if name not in folds:
            folds[name] = _Fold(name)
        folds[name].apply(event)
    return {name: each.state() for name, each in sorted(folds.items())}


class _Fold:
    """One model's state, on its way."""

    def __init__(self, model_name: str) -> None:
        self.versions: dict[str, Version] = {}
        self.stages: dict[tuple[str, str], Stage] = {}
        self.aliases: dict[str, str] = {}
        self.heads: dict[str, Move] = {}
        self.earlier: dict[str, list[str]] = {}
        self.moves: list[Move] = []
        self.refusals: dict[str, Refusal] = {}
        self.seen: set[str] = set()
        self.model_name = model_name
        self.project = ""

    def state(self) -> ModelState:
        return ModelState(
            model_name=self.model_name,
            versions=self.versions,
            stages=self.stages,
            aliases=self.aliases,
            heads={slot: move.event.event_id for slot, move in self.heads.items()},
            earlier={environment: tuple(names) for environment, names in self.earlier.items()},
            moves=tuple(self.moves),
            refusals=self.refusals,
            seen=frozenset(self.seen),
            project=self.project,
        )

    def apply(self, event: RegistryEvent) -> None:
        if event.event_id in self.seen:
            return
        self.seen.add(event.event_id)
        try:
            self._apply(event)
        except _RefusedError as error:
            self.refusals[event.event_id] = Refusal(event, error.reason, str(error))

    def _apply(self, event: RegistryEvent) -> None:
        match event.kind:
            case Kind.VERSION:
                self._register(event)
            case Kind.STAGE:
                self._expect(event, event.environment)
                self._stage(event)
            case Kind.ROLLBACK:
                self._expect(event, event.environment)
                self._roll_back(event)
            case Kind.ALIAS:
                self._expect(event, f"@{event.alias}")
                self._alias(event)
            case _:
                kinds = ", ".join(Kind)
                raise _RefusedError(
                    Refused.UNKNOWN_KIND, f"{event.kind!r} is no kind of event; there are {kinds}"
                )

    def _register(self, event: RegistryEvent) -> None:
        name, known = event.model_version, self.versions.get(event.model_version)
        if not name or not event.training_run_id:
            raise _RefusedError(Refused.BAD_NAME, "a version needs a name, and the run that made it")
        if known is not None and known.training_run_id != event.training_run_id:
            raise _RefusedError(
                Refused.TAKEN,
                f"version {name} of {event.model_name} is run {known.training_run_id}'s, registered at "
                f"{known.registered_at:%Y-%m-%d %H:%M} UTC; a version is given once: leave it out to get the "
                "next number, or choose another",
            )
        self.project = event.project or self.project
        if known is None:
            self.versions[name] = Version(
                event.model_name,
                name,
                event.training_run_id,
                event.event_time,
                event.written_by,
                event.artifact_uri,
                event.artifact_sha256,
                event.origin_sha256,
            )
        else:  # Registered again: a new revision of its run, maybe with the artifact elsewhere.
            self.versions[name] = replace(
                known,
                artifact_uri=event.artifact_uri,
                artifact_sha256=event.artifact_sha256,
                origin_sha256=event.origin_sha256 or known.origin_sha256,
            )

    def _expect(self, event: RegistryEvent, slot: str) -> None:
        head = self.heads.get(slot)
        if event.expected_head == (head.event.event_id if head else ""):
            return
        met = "nothing was decided there" if head is None else f"meanwhile {head}"
        raise _RefusedError(
            Refused.STALE, f"{event.model_name} is not as it was when this was decided: {met}"
        )

    def _known(self, event: RegistryEvent) -> str:
        if event.model_version not in self.versions:
            raise _RefusedError(
                Refused.UNKNOWN_VERSION,
                f"{event.model_name} has no version {event.model_version}; {listed(self.versions)}",
            )
        return event.model_version

    def _stage(self, event: RegistryEvent) -> None:
        version, environment = self._known(event), event.environment
        if event.stage not in STAGES:
            raise _RefusedError(
                Refused.UNKNOWN_STAGE, f"{event.stage!r} is no stage; there are {', '.join(STAGES)}"
            )
        before, after = self._stage_of(environment, version), Stage(event.stage)
        if before == after:
            raise _RefusedError(
                Refused.NO_CHANGE,
                f"version {version} of {event.model_name} is {after}{in_environment(environment)}",
            )
        if after == Stage.PRODUCTION and before == Stage.ARCHIVED:
            raise _RefusedError(
                Refused.ARCHIVED,
                f"version {version} of {event.model_name} is archived{in_environment(environment)}; make it "
                "a candidate again first",
            )
        current = self._production(environment)
        if after == Stage.PRODUCTION:
            self._push(environment, current, instead_of=version)
            if current:
                self.stages[environment, current] = Stage.CANDIDATE
            self._count(environment, Move(event, before, after, current, version))
        elif before == Stage.PRODUCTION:
            self._push(environment, version)
            self._count(environment, Move(event, before, after, version, ""))
        else:
            self._count(environment, Move(event, before, after, current, current))
        self.stages[environment, version] = after

    def _roll_back(self, event: RegistryEvent) -> None:
        version, environment = self._known(event), event.environment
        names = self.earlier.get(environment, [])
        usable = [name for name in names if self._stage_of(environment, name) != Stage.ARCHIVED]
        if not usable or usable[-1] != version:
            there = (
                f"version {usable[-1]} was in production before"
                if usable
                else "there is nothing to go back to"
            )
            raise _RefusedError(
                Refused.NOTHING_BEFORE,
                f"{event.model_name} can't be rolled back to version {version} in {environment}: {there}",
            )
        while names.pop() != version:
            pass
        before, current = self._stage_of(environment, version), self._production(environment)
        if current:
            self.stages[environment, current] = Stage.CANDIDATE
        self.stages[environment, version] = Stage.PRODUCTION
        self._count(environment, Move(event, before, Stage.PRODUCTION, current, version))

    def _alias(self, event: RegistryEvent) -> None:
        alias, before = event.alias, self.aliases.get(event.alias, "")
        if not _ALIAS.fullmatch(alias) or alias in STAGES:
            raise _RefusedError(
                Refused.BAD_NAME,
                f"{alias!r} is no alias: a letter, then up to 99 of letters, digits and ._-; no stage's name",
            )
        after = self._known(event) if event.model_version else ""
        if before == after:
            raise _RefusedError(
                Refused.NO_CHANGE, f"alias {alias} of {event.model_name} names {after or 'nothing'}"
            )
        if after:
            self.aliases[alias] = after
        else:
            del self.aliases[alias]
        self._count(f"@{alias}", Move(event, before, after))

    def _count(self, slot: str, move: Move) -> None:
        self.heads[slot] = move
        self.moves.append(move)

    def _push(self, environment: str, version: str, *, instead_of: str = "") -> None:
        """Have a rollback go back to a version that is no longer in production; not to what now is."""
        names = self.earlier.get(environment, [])
        kept = [name for name in names if name not in {version, instead_of}]
        self.earlier[environment] = [*kept, version] if version else kept

    def _stage_of(self, environment: str, version: str) -> Stage:
        return self.stages.get((environment, version), Stage.CANDIDATE)

    def _production(self, environment: str) -> str:
        there = (name for (where, name) in self.stages if where == environment)
        return next((name for name in there if self.stages[environment, name] == Stage.PRODUCTION), "")


def listed(names: Iterable[str], wanted: str = "") -> str:
    """Return what there is, for a message: those that are like what was wanted first, and not too many.

    Args:
        names: that there are.
        wanted: that is not there.
    """
    known = list(names)
    if not known:
        return "there is none"
    alike = difflib.get_close_matches(wanted, known, 3, 0.6)
    ordered = [*alike, *(name for name in reversed(known) if name not in alike)]
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"there {'is' if len(known) == 1 else 'are'} {', '.join(ordered[:_LISTED])}{more}"


def listed_projects(projects: Iterable[str], wanted: str = "") -> str:
    """Return which projects there are, for a message; models in none are left out."""
    return listed(sorted({each for each in projects if each}), wanted)
