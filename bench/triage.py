"""How often triage names the wrong culprit: simulated incidents of each, with the noise that serving has.

``python -m bench.triage`` draws 200 incidents of each culprit and prints a table of confusion. An incident
has 100 to 400 predictions with three features, and as many from the time before. In both some values are a
little late, as with any feed that is materialized now and then: up to 3 of 100. What moved is measured as
drift is: the share of rows that moved, which is less than the share that was changed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.tables import print_table
from driftline.features.compare import Pair, summarize
from driftline.features.consistency import Report
from driftline.features.triage import blame_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.features.triage import Blame

    Pairs = dict[str, list[Pair]]
    Change = Callable[[Pair, np.random.Generator], Pair]

FEATURES: Final = ("temp", "wind", "load")
MOST_LATE: Final = 0.03
BLAMES: Final[tuple[Blame, ...]] = ("upstream", "serving", "model", "unknown", "none")
_ANSWERS = "prediction.number"


@dataclass(frozen=True)
class Culprit:
    """Who is to blame, and how it shows.

    Args:
        name: in words.
        blame: that triage is to find.
        logged: what serving makes of a value; None: what was stored is logged.
        stored: what upstream makes of one, before it is stored; None: nothing.
        known: between these lies the share of predictions whose provenance is known.
        is_new: whether it begins with the window; else it ends there.
    """

    name: str
    blame: Blame
    logged: Change | None = None
    stored: Change | None = None
    known: tuple[float, float] = (0.9, 1.0)
    is_new: bool = True


def _number(pair: Pair) -> float:
    return pair.stored if isinstance(pair.stored, float) else 0.0


def _late(pair: Pair, random: np.random.Generator) -> Pair:
    older = _number(pair) + float(random.normal(0, 0.3))
    return replace(pair, logged=older, served=older, behind_us=int(random.uniform(1, 3600) * 1e6))


def _scaled(pair: Pair, _: np.random.Generator) -> Pair:
    return replace(pair, logged=_number(pair) * 1.8 + 32)


def _others(pair: Pair, random: np.random.Generator) -> Pair:
    value = float(random.normal(15, 5))
    return replace(pair, logged=value, stored=value, is_misread=True)


def _default(pair: Pair, _: np.random.Generator) -> Pair:
    return replace(pair, logged=0.0)


def _dropped(pair: Pair, _: np.random.Generator) -> Pair:
    return replace(pair, logged=None)


def _moved(pair: Pair, _: np.random.Generator) -> Pair:
    value = _number(pair) * 1.8 + 32
    return replace(pair, logged=value, stored=value)


def _emptied(pair: Pair, _: np.random.Generator) -> Pair:
    return replace(pair, logged=None, stored=None)


CULPRITS: Final = (
    Culprit("the feed changes its unit", "upstream", stored=_moved),
    Culprit("the feed loses values", "upstream", stored=_emptied),
    Culprit("a stale cache", "serving", logged=_late),
    Culprit("a change of unit behind retrieval", "serving", logged=_scaled),
    Culprit("the wrong entity", "serving", logged=_others),
    Culprit("a default for what is there", "serving", logged=_default),
    Culprit("features left out", "serving", logged=_dropped),
    Culprit("serving is mended", "serving", logged=_scaled, is_new=False),
    Culprit("another version was loaded", "model"),
    Culprit("no provenance, serving changes a unit", "unknown", logged=_scaled, known=(0.0, 0.0)),
    Culprit("provenance of few, upstream changes", "unknown", stored=_moved, known=(0.05, 0.4)),
)


def draw(culprit: Culprit, random: np.random.Generator) -> Blame:
    """Return whom triage blames for one incident."""
    rows = int(random.integers(100, 400))
    share = float(random.uniform(0.05, 1.0))
    late = float(random.uniform(0, MOST_LATE))
    known = float(random.uniform(*culprit.known))
    window = rows, round(known * rows), late
    during = _report(window, culprit, share if culprit.is_new else 0.0, random)
    before = _report(window, culprit, 0.0 if culprit.is_new else share, random)
    # Some of what was changed looks as before: a mean of 60 to 100 of 100 shows.
    effect = share * float(random.uniform(0.6, 1.0))
    moved = {FEATURES[0]: effect} if culprit.blame != "model" else {_ANSWERS: effect}
    return blame_of(during, before, moved, ())[0]


def _report(
    window: tuple[int, int, float], culprit: Culprit, share: float, random: np.random.Generator
) -> Report:
    """Return what a window shows, of which a share is changed; of the first feature alone.

    Args:
        window: rows, how many of them have a provenance, and the share that is late.
        culprit: what changes them.
        share: of the values that are changed.
        random: draws them.
    """
    rows, known, late = window
    found = []
    for feature in FEATURES:
        changed = share if feature == FEATURES[0] else 0.0
        pairs = [_pair(place, late, culprit, changed, random) for place in range(known)]
        if pairs:
            found.append(summarize(feature, "weather", ["v"], pairs))
    return Report(rows, known, rows, {}, found, {})


def _pair(place: int, late: float, culprit: Culprit, share: float, random: np.random.Generator) -> Pair:
    value = float(random.normal(15, 5))
    pair = Pair(str(place), value, value, 0)
    if random.random() < share:
        if culprit.stored is not None:
            return culprit.stored(pair, random)
        if culprit.logged is not None:
            return culprit.logged(pair, random)
    return _late(pair, random) if random.random() < late else pair


def confusion(
    incidents: int, *, seed: int = 0, culprits: Sequence[Culprit] = CULPRITS
) -> Mapping[str, Counter[Blame]]:
    """Return by culprit how often which blame was found."""
    random = np.random.default_rng(seed)
    return {each.name: Counter(draw(each, random) for _ in range(incidents)) for each in culprits}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--incidents", type=int, default=200, help="of each culprit")
    options = parser.parse_args()
    found = confusion(options.incidents)
    rows = [
        [each.name, each.blame, *(f"{found[each.name][blame] / options.incidents:.1%}" for blame in BLAMES)]
        for each in CULPRITS
    ]
    print_table(["culprit", "is of", *BLAMES], rows)


if __name__ == "__main__":
    main()
