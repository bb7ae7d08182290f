"""Training sets: what defines one, so that it can be made again, and compared with what a gate looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

from driftline.domain.streams import PRODUCTION

if TYPE_CHECKING:
    from collections.abc import Mapping

TRAIN: Final = "train"
TEST: Final = "test"

SplitKind: TypeAlias = Literal["none", "time", "entity"]
Reason: TypeAlias = Literal["incident", "incomplete", "invalid", "named"]

ENTITY_PLACES: Final = 1_000_000
"""Entities are spread over so many places; those below the test's share are tested on."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Hours that no row is taken from, and why. Hours count from the Unix epoch, UTC.

    Args:
        first_hour: the first one.
        end_hour: the one behind the last.
        reason: ``incident``, ``incomplete``, ``invalid``, or ``named`` by a person.
        detail: the same for a person: which incident, how much was missing.
    """

    first_hour: int
    end_hour: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Split:
    """How rows are divided into those to learn from and those to test on.

    Args:
        kind: ``none``: all are learned from; ``time``: those from the boundary on are tested on; ``entity``:
            all rows of an entity are on the same side.
        share: of entities that are tested on, between 0 and 1; 0 unless by entity.
        boundary: by time: from when on rows are tested on, UTC; None: not by time.
    """

    kind: SplitKind = "none"
    share: float = 0.0
    boundary: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What is in a training set: the same definition has the same rows, whatever lands later.

    Args:
        model_name: whose predictions.
        model_version: of this version only; empty: of all that served.
        environment: where they were made.
        since: of predictions of this time or later, UTC.
        until: before this time, UTC.
        as_of: predictions and outcomes that had landed by then, by the store's clock; UTC.
        maturity: predictions are so old at least, so that nearly all truths are known.
        label_age: only what was known so long after its prediction; None: whatever was known by ``as_of``.
        with_acted_on: whether predictions are in it that somebody acted on.
        split: into what is learned from and what is tested on.
        left_out: hours that no row is taken from.
    """

    model_name: str
    model_version: str = ""
    environment: str = PRODUCTION
    since: datetime
    until: datetime
    as_of: datetime
    maturity: timedelta = timedelta(0)
    label_age: timedelta | None = None
    with_acted_on: bool = False
    split: Split = Split()
    left_out: tuple[LeftOut, ...] = field(default=())

    @property
    def learned_until(self) -> datetime:
        """Before when all rows lie that are learned from, UTC."""
        return self.split.boundary if self.split.boundary is not None else self.until

    def as_plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `from_plain` reads that again."""
        return {
            "model_name": self.model_name,
            "model_version": self.model_version,
            "environment": self.environment,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "as_of": self.as_of.isoformat(),
            "maturity_s": self.maturity.total_seconds(),
            "label_age_s": None if self.label_age is None else self.label_age.total_seconds(),
            "with_acted_on": self.with_acted_on,
            "split": {
                "kind": self.split.kind,
                "share": self.split.share,
                "boundary": None if self.split.boundary is None else self.split.boundary.isoformat(),
            },
            "left_out": [
                {
                    "first_hour": each.first_hour,
                    "end_hour": each.end_hour,
                    "reason": each.reason,
                    "detail": each.detail,
                }
                for each in self.left_out
            ],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return what `as_plain` wrote.

        Raises:
            KeyError, ValueError, TypeError: it is none.
        """
        split, age = plain["split"], plain["label_age_s"]
        boundary = split["boundary"]
        return cls(
            model_name=str(plain["model_name"]),
            model_version=str(plain["model_version"]),
            environment=str(plain["environment"]),
            since=datetime.fromisoformat(plain["since"]),
            until=datetime.fromisoformat(plain["until"]),
            as_of=datetime.fromisoformat(plain["as_of"]),
            maturity=timedelta(seconds=float(plain["maturity_s"])),
            label_age=None if age is None else timedelta(seconds=float(age)),
            with_acted_on=bool(plain["with_acted_on"]),
            split=Split(
                split["kind"],
                float(split["share"]),
                None if boundary is None else datetime.fromisoformat(boundary),
            ),
            left_out=tuple(LeftOut(**each) for each in plain["left_out"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLine:
    """A snapshot as it is listed; the manifest has the rest.

    Args:
        snapshot_id: of its definition and rows.
        label: what the team calls it; empty: nothing.
        model_name: whose predictions.
        uri: of the manifest.
        manifest_sha256: digest of the manifest's bytes.
        rows: how many.
        row_hash: of the rows, whatever their order.
        since: of the definition, UTC.
        until: of the definition, UTC.
        as_of: of the definition, UTC.
        split: its kind.
        made_by: who made it.
        made_at: when, by the store's clock; None: it is being written.
    """

    snapshot_id: str
    label: str
    model_name: str
    uri: str
    manifest_sha256: str
    rows: int
    row_hash: str
    since: datetime
    until: datetime
    as_of: datetime
    split: str
    made_by: str
    made_at: datetime | None = None
