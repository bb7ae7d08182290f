"""When labelled streams are trained again: twenty whose concept moves, and twenty whose concept does not.

    python -m bench.concept_drift            # some minutes
    python -m bench.concept_drift --rows 1000

Each stream has 14 weeks of 300 rows a day and a boosted model of its first four weeks, which then serves.
At the beginning of the tenth its concept moves, or does not. From then on the trigger decides each day by
what it always does: whether a metric of the newest week surely fell against the four before, and lasted;
truths come at once, and whatever features do was called harmless. What is trained then, on the newest four
weeks, is compared with the first model on all that comes after.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from bench.concept_streams import Stream, draw, streams
from bench.tables import print_table
from driftline.lifecycle.trigger import Facts, TriggerSettings, decide
from driftline.performance.drops import PAST_HOURS, RECENT_HOURS, WATCHED, drop_of
from driftline.performance.tally import add_up
from driftline.performance.task import Task
from tests.performance.rows import groups_of_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.performance.intervals import Measured
    from driftline.performance.tally import Group

TRAINED_DAYS, DRIFT_DAY, DAYS = 28, 63, 98
"""Trained on the first four weeks; five weeks serve as the past before anything moves."""

RECENT, PAST = RECENT_HOURS // 24, PAST_HOURS // 24
SETTINGS: Final = TriggerSettings(enabled=True)
_START = datetime(2026, 1, 5, tzinfo=UTC)
_TASK = Task("binary")


@dataclass(frozen=True)
class Found:
    """What became of one stream.

    Args:
        stream: which.
        days: from the drift until it was trained again; None: it was not. Where nothing drifts: from the day
            on which it would.
        before: AUC of the first model on what came after that training, or after the drift.
        after: AUC of what was trained then; None: nothing was.
    """

    stream: Stream
    days: int | None
    before: float
    after: float | None


def run(stream: Stream, rows: int) -> Found:
    """Return what becomes of a stream."""
    made = [draw(stream, day, DRIFT_DAY, rows) for day in range(DAYS)]
    first = _train(made[:TRAINED_DAYS])
    scores = [first.predict_proba(x)[:, 1].clip(1e-6, 1 - 1e-6) for x, _ in made]
    groups = [groups_of_columns(own, y.astype(float)) for own, (_, y) in zip(scores, made, strict=True)]
    day = _trained_at(groups, rows)
    since = DRIFT_DAY if day is None else day
    later = range(min(since, DAYS - 1), DAYS)
    truth = np.concatenate([made[each][1] for each in later])
    before = float(roc_auc_score(truth, np.concatenate([scores[each] for each in later])))
    after = None
    if day is not None and day < DAYS:
        model = _train(made[max(day - PAST, 0) : day])
        answers = np.concatenate([model.predict_proba(made[each][0])[:, 1] for each in later])
        after = float(roc_auc_score(truth, answers))
    return Found(stream, None if day is None else day - DRIFT_DAY, before, after)


def _train(days: Sequence[tuple[np.ndarray, np.ndarray]]) -> HistGradientBoostingClassifier:
    x, y = (np.concatenate([each[place] for each in days]) for place in (0, 1))
    return HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(x, y)


def _trained_at(groups: Sequence[Sequence[Group]], rows: int) -> int | None:
    """Return the day at whose beginning the trigger has the model trained; None: never."""
    since: datetime | None = None
    for day in range(TRAINED_DAYS + RECENT + PAST, DAYS + 1):
        now = _START + timedelta(days=day)
        drops = _drops(groups, day)
        since = (since or now) if drops else None
        facts = Facts(now=now, drops=drops, drop_since=since, mature_labels=RECENT * rows)
        names = {"decision_id": "", "model_name": "stream", "environment": "production", "decided_by": ""}
        if decide(facts, SETTINGS, **names).action == "retrain":
            return day
    return None


def _drops(groups: Sequence[Sequence[Group]], day: int) -> Sequence[tuple[str, float]]:
    """Return what surely fell in the newest week, as `driftline.performance.drops` has it."""
    recent = _measured(groups, day - RECENT, day)
    past = _measured(groups, max(day - RECENT - PAST, TRAINED_DAYS), day - RECENT)
    found = [(name, drop_of(name, recent[name], past[name])) for name in WATCHED["binary"]]
    return [(name, drop) for name, drop in found if drop > 0]


def _measured(groups: Sequence[Sequence[Group]], first: int, end: int) -> Mapping[str, Measured]:
    return _TASK.measure(add_up([each for own in groups[first:end] for each in own]))


def print_found(found: Sequence[Found]) -> None:
    """Print what became of each stream, and of how many."""
    rows = [
        [
            each.stream.name,
            each.stream.covariates,
            "never" if each.days is None else f"{each.days} days",
            f"{each.before:.3f}",
            "" if each.after is None else f"{each.after:.3f}",
        ]
        for each in found
    ]
    print_table(["stream", "features", "trained after", "AUC of the first model", "of the new one"], rows)
    for has_drift in (True, False):
        own = [each for each in found if each.stream.has_drift is has_drift]
        trained = [each.days for each in own if each.days is not None]
        middle = f", in the middle after {np.median(trained):.0f} days" if trained else ""
        print(f"{'drift' if has_drift else 'no drift'}: {len(trained)} of {len(own)} trained again{middle}")


def main() -> None:
    """Run all streams."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=300, help="a day")
    options = parser.parse_args()
    began_s = time.monotonic()
    found = []
    for stream in streams():
        found.append(run(stream, options.rows))
        print(stream.name, found[-1].days, file=sys.stderr, flush=True)
    print_found(found)
    print(f"{time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
