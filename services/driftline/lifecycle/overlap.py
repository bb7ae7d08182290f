"""Whether rows that are to decide between two models are rows that one of them learned from.

What a model learned from stands in the manifests that its training run names as data. Where a run names
none, it was registered at a time, and cannot have learned from what was predicted later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.errors import DriftlineError, SettingError
from driftline.lifecycle.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from driftline.domain.snapshots import Definition, Split
    from driftline.registry.runs import Run

_MARK = "/manifests/"


@dataclass(frozen=True, slots=True)
class Learned:
    """What a version learned from.

    Args:
        version: which.
        definitions: of its snapshots; none: its run names no snapshot.
        registered: when its run was registered first, UTC.
    """

    version: str
    definitions: Sequence[Definition]
    registered: datetime

    @property
    def until(self) -> datetime:
        """Before when all rows lie that it learned from, UTC."""
        if not self.definitions:
            return self.registered
        return max(each.learned_until for each in self.definitions)


def learned_of(run: Run, registered: datetime) -> Learned:
    """Return what a run learned from, by the manifests that it names.

    Args:
        run: its newest revision.
        registered: when its version was registered first, UTC.

    Raises:
        SettingError: a manifest that it names can't be read, or is not the one that it names.
    """
    definitions = []
    for data in run.data_references:
        if _MARK not in data.uri or not data.uri.endswith(".json"):
            continue
        try:
            manifest = Manifest.read(data.uri)
        except (DriftlineError, OSError) as error:
            raise SettingError(
                f"version {run.model_version} learned from {data.uri}, which can't be read, so nobody can "
                f"tell whether it is compared on other rows: {error}"
            ) from error
        if data.fingerprint not in (None, f"sha256:{manifest.sha256}"):
            raise SettingError(f"{data.uri} is not the manifest that run {run.training_run_id} learned from")
        definitions.append(manifest.definition)
    return Learned(run.model_version, definitions, registered)


def overlaps(evaluated: Definition, part: str, learned: Sequence[Learned]) -> Iterator[str]:
    """Yield why rows may not decide between models: one of them learned from them, or from their entities.

    Args:
        evaluated: the rows.
        part: of its split, from which they are; empty: all.
        learned: what each of the models learned from.
    """
    first = _first(evaluated, part)
    for model in learned:
        if not model.definitions and first < model.registered:
            yield (
                f"version {model.version} names no snapshot, and was registered at "
                f"{model.registered:%Y-%m-%d %H:%M}: rows since {first:%Y-%m-%d %H:%M} may be those "
                "that it learned from; begin later"
            )
        for each in model.definitions:
            is_apart = _same_entities_apart(evaluated.split, part, each.split)
            if each.split.kind == "entity" and not is_apart:
                yield (
                    f"version {model.version} learned from entities apart; these rows are not of those it "
                    "was kept from: compare on the test part of a snapshot with the same split"
                )
            elif first < each.learned_until and not is_apart:
                yield (
                    f"version {model.version} learned from rows until {each.learned_until:%Y-%m-%d %H:%M}; "
                    f"these begin at {first:%Y-%m-%d %H:%M}: begin later"
                )


def _first(evaluated: Definition, part: str) -> datetime:
    boundary = evaluated.split.boundary
    return boundary if part == "test" and boundary is not None else evaluated.since


def _same_entities_apart(evaluated: Split, part: str, learned: Split) -> bool:
    """Return whether rows are of entities that were kept from learning, by the same split."""
    return part == "test" and evaluated.kind == learned.kind == "entity" and evaluated.share == learned.share
