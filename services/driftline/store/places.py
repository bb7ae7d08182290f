"""Finding what belongs to a model's feature within a statement that takes many models at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_NAMES_OF_OWNER = 1 << 20


@dataclass(frozen=True, slots=True)
class Places:
    """Where what is bound for an owner's feature stands in arrays; an owner is a model, or a version of one.

    What nobody named has the first place.

    Args:
        owners: ascending; they are numbered from 1 on.
        names: of features, ascending; numbered from 1 on.
        pairs: by numbers of owner and name, the place.
    """

    owners: Sequence[str]
    names: Sequence[str]
    pairs: Mapping[tuple[int, int], int]

    @classmethod
    def of(cls, features: Mapping[str, Collection[str]]) -> Places:
        """Return the places of features by owner."""
        owners = sorted(features)
        names = sorted({name for own in features.values() for name in own})
        number = {name: place for place, name in enumerate(names, 1)}
        pairs = {
            (owner, number[name]): 0 for owner, key in enumerate(owners, 1) for name in sorted(features[key])
        }
        return cls(owners, names, {pair: place for place, pair in enumerate(pairs, 2)})

    @property
    def named(self) -> Sequence[tuple[str, str]]:
        """Owner and feature by place, from the second place on."""
        return [(self.owners[owner - 1], self.names[name - 1]) for owner, name in self.pairs]

    def sql(self, owner: str) -> str:
        """Return SQL for a value's place, by its column ``feature`` and by SQL for its owner's number."""
        name = "transform(feature, {names:Array(String)}, {numbers:Array(UInt32)}, toUInt32(0))"
        pair = name if len(self.owners) == 1 else f"{owner} * {_NAMES_OF_OWNER} + {name}"
        return f"transform(toUInt64({pair}), {{pairs:Array(UInt64)}}, {{places:Array(UInt32)}}, toUInt32(1))"

    def bound(self) -> dict[str, Any]:
        """Return the parameters of `sql`. Arrays to look something up in may not be empty."""
        keys = [
            name if len(self.owners) == 1 else owner * _NAMES_OF_OWNER + name for owner, name in self.pairs
        ]
        return {
            "owners": list(self.owners) or [""],
            "names": list(self.names) or [""],
            "numbers": list(range(1, len(self.names) + 1)) or [0],
            "pairs": keys or [0],
            "places": list(self.pairs.values()) or [1],
        }
