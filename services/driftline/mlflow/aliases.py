"""Aliases that moved in MLflow move here, and stages that aliases stand for; what was decided here stands.

MLflow says where an alias is, and not who moved it or when. So a look there is compared with what the last
look had decided here, as the log has it: where MLflow says what it did then, nothing has moved there, and
whatever was decided here since stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.domain.streams import PRODUCTION
from driftline.registry.decisions import give_stage, name_alias
from driftline.registry.events import Kind, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from driftline.mlflow.seen import SeenModel
    from driftline.registry.decisions import Author
    from driftline.registry.events import RegistryEvent
    from driftline.registry.state import ModelState

    Decide = Callable[[ModelState], RegistryEvent]

STANDS_FOR = (Stage.PRODUCTION, Stage.CANARY, Stage.SHADOW)
"""Stages that an alias of their name stands for, unless something else is asked for."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What MLflow says, and driftline does not.

    Args:
        alias: as MLflow calls it.
        version: that it names there; empty: none any more.
        here: the version that it names here; empty: none.
        has_moved: whether it has moved in MLflow since the last look; else it was moved here.
        decide: returns what is to be decided here.
    """

    alias: str
    version: str
    here: str
    has_moved: bool
    decide: Decide


def wishes(
    model: SeenModel, state: ModelState, *, stages: Mapping[str, Stage], author: Author
) -> Iterator[Wish]:
    """Yield what is different here.

    Args:
        model: as MLflow says it.
        state: as it stands here.
        stages: the stage in production that each alias stands for; others are aliases here as well.
        author: who decides, with the MLflow as its origin.
    """
    known = {move.event.alias for move in state.moves if _is_own(move.event, author) and move.event.alias}
    for alias in sorted({*model.aliases, *known} - stages.keys()):
        yield from _of_alias(alias, model.aliases.get(alias, ""), state, author)
    for alias, stage in sorted(stages.items()):
        yield from _of_stage(alias, stage, model.aliases.get(alias, ""), state, author)


def _of_alias(alias: str, version: str, state: ModelState, author: Author) -> Iterator[Wish]:
    here, before = state.aliases.get(alias, ""), ""
    for move in state.moves:
        if _is_own(move.event, author) and move.event.alias == alias:
            before = move.event.model_version
    if version == here:
        return

    def decide(current: ModelState) -> RegistryEvent:
        reason = _reason(alias, version)
        return name_alias(current, alias, version or None, author=author, reason=reason)

    yield Wish(alias, version, here, version != before, decide)


def _of_stage(alias: str, stage: Stage, version: str, state: ModelState, author: Author) -> Iterator[Wish]:
    """Yield the same for a stage; what had it on behalf of the alias becomes a candidate again."""
    before = ""
    for move in state.moves:
        event = move.event
        if _is_own(event, author) and event.kind == Kind.STAGE:
            if event.stage == stage:
                before = event.model_version
            elif event.model_version == before:
                before = ""
    if version and state.stage(version) != stage:
        here = ", ".join(state.at_stage(stage))
        yield Wish(alias, version, here, version != before, _giving(alias, version, stage, author))
    replaced = before not in {"", version} and state.stage(before) == stage
    if replaced and not (version and stage == Stage.PRODUCTION):
        decide = _giving(alias, before, Stage.CANDIDATE, author)
        yield Wish(alias, version, before, has_moved=True, decide=decide)


def _giving(alias: str, version: str, stage: Stage, author: Author) -> Decide:
    def decide(current: ModelState) -> RegistryEvent:
        reason = _reason(alias, version if stage != Stage.CANDIDATE else "")
        return give_stage(current, version, stage, author=author, reason=reason, environment=PRODUCTION)

    return decide


def _reason(alias: str, version: str) -> str:
    return f"alias {alias} names {f'version {version}' if version else 'it no more'} in MLflow"


def _is_own(event: RegistryEvent, author: Author) -> bool:
    return bool(event.origin) and event.origin == author.origin
