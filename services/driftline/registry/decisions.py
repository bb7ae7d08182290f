"""What somebody decides, as an event that says from which state it was decided."""

from __future__ import annotations

import getpass
import random as random_module
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.domain.streams import PRODUCTION
from driftline.errors import NotFoundError, SettingError
from driftline.registry.events import Kind, RegistryEvent, Stage
from driftline.registry.fold import listed
from driftline.wire import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.registry.state import ModelState

_system_random = random_module.SystemRandom().getrandbits


def somebody() -> str:
    """Return who runs this process: the user, and on which host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # A container's user may have no name.
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class Author:
    """Who decides, and when.

    Args:
        name: who.
        clock: the time now, seconds since 1970-01-01T00:00:00Z.
        random: a source of random bits.
        origin: the other registry that decisions are copied from; empty: they are made here.
    """

    name: str
    clock: Callable[[], float] = time.time
    random: Callable[[int], int] = _system_random
    origin: str = ""

    def event(self, model_name: str, kind: Kind, **fields: Any) -> RegistryEvent:
        """Return an event of now."""
        return RegistryEvent(
            event_id=new_id(self.clock, self.random),
            event_time=datetime.fromtimestamp(self.clock(), UTC),
            model_name=model_name,
            kind=kind,
            written_by=self.name,
            origin=self.origin,
            **fields,
        )


def give_stage(
    state: ModelState,
    version: str,
    stage: Stage,
    *,
    author: Author,
    reason: str,
    environment: str = PRODUCTION,
) -> RegistryEvent:
    """Return the decision that a version gets a stage in an environment.

    Raises:
        NotFoundError: the model has no such version; the message names those that there are.
    """
    return author.event(
        state.model_name,
        Kind.STAGE,
        model_version=known_version(state, version),
        environment=environment,
        stage=stage,
        expected_head=state.heads.get(environment, ""),
        reason=reason,
    )


def roll_back(
    state: ModelState, *, author: Author, reason: str, environment: str = PRODUCTION
) -> RegistryEvent:
    """Return the decision that what was in production before is put back.

    Raises:
        NotFoundError: there was nothing before.
    """
    version = state.previous(environment)
    if version is None:
        current = state.in_production(environment)
        now = f"version {current} is the only one that ever was" if current else "none ever was"
        raise NotFoundError(
            f"{state.model_name} can't be rolled back in {environment}: {now} in production there, of those "
            "that are not archived"
        )
    return author.event(
        state.model_name,
        Kind.ROLLBACK,
        model_version=version,
        environment=environment,
        expected_head=state.heads.get(environment, ""),
        reason=reason,
    )


def name_alias(
    state: ModelState, alias: str, version: str | None, *, author: Author, reason: str
) -> RegistryEvent:
    """Return the decision that an alias names a version; None: no version any more.

    Raises:
        NotFoundError: the model has no such version, or no such alias.
    """
    if version is None and alias not in state.aliases:
        raise NotFoundError(f"{state.model_name} has no alias {alias!r}; {listed(state.aliases, alias)}")
    return author.event(
        state.model_name,
        Kind.ALIAS,
        model_version="" if version is None else known_version(state, version),
        alias=alias,
        expected_head=state.heads.get(f"@{alias}", ""),
        reason=reason,
    )


def known_version(state: ModelState, version: str) -> str:
    """Return a version's name.

    Raises:
        NotFoundError: the model has none of that name; the message names those that there are.
    """
    if version not in state.versions:
        raise NotFoundError(f"{state.model_name} has no version {version}; {listed(state.versions, version)}")
    return version


def parse_stage(text: str) -> Stage:
    """Return the stage of a name.

    Raises:
        SettingError: there is none of that name; the message names those that there are.
    """
    try:
        return Stage(text)
    except ValueError:
        raise SettingError(f"{text!r} is no stage; there are {', '.join(Stage)}") from None
