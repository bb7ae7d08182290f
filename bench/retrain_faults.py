"""The demo's faults under the trigger: whether it would train while the upstream is broken.

    driftline demo --json --folder FOLDER | tail -1 > summary.json
    python -m bench.retrain_faults summary.json

The trigger is asked every three hours, and each time it is given a performance drop that has lasted: so there
is always a cause, and only what it knows of the faults holds it back. Prints, of each fault, how often it
refused while the fault went on, how long it took until the first refusal, and by which reasons; and likewise
of the seven days behind each, and of all other hours.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from driftline.embedded import open_store
from driftline.lifecycle.facts import read_facts, subject_of
from driftline.lifecycle.trigger import TriggerSettings, decide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.domain.retraining import RetrainDecision
    from driftline.store.connection import Connection

MODEL: Final = "flight-delay"
STEP: Final = timedelta(hours=3)
SETTINGS: Final = TriggerSettings(enabled=True)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when something went on, and what."""

    name: str
    start: datetime
    end: datetime


def decisions(connection: Connection, span: Span) -> Iterator[RetrainDecision]:
    """Yield what would be decided in a span, were there a cause all the time."""
    subject = replace(subject_of(connection, MODEL), version="")
    now = span.start
    while now < span.end:
        facts = read_facts(connection, subject, SETTINGS, now=now)
        given: dict[str, Any] = {
            "drops": [("roc_auc", 0.05)],
            "drop_since": now - timedelta(days=2),
            "mature_labels": 5000,
        }
        names = {"decision_id": "", "model_name": MODEL, "environment": "production", "decided_by": ""}
        yield decide(replace(facts, **given), SETTINGS, **names)
        now += STEP


def row_of(connection: Connection, span: Span) -> str:
    """Return a row of the table."""
    found = list(decisions(connection, span))
    refused = [each for each in found if each.action == "refuse"]
    first = next((each.decided_at for each in refused), None)
    after = "never" if first is None else f"{(first - span.start).total_seconds() / 3600:g} h"
    codes = Counter(code for each in refused for code in {why.code for why in each.reasons})
    reasons = ", ".join(f"{code} {count}" for code, count in codes.most_common()) or "-"
    return f"| {span.name} | {len(found)} | {len(refused)} | {after} | {reasons} |"


def spans(faults: Sequence[Mapping[str, str]], days: int) -> Iterator[Span]:
    """Yield each fault, the days behind it, and what lies between those and the next one."""
    times = [
        (each["fault"], *(datetime.fromisoformat(each[name]) for name in ("injected_at", "mended_at")))
        for each in faults
    ]
    window = timedelta(days=days)
    for place, (name, start, end) in enumerate(times):
        yield Span(name, start, end)
        yield Span(f"{days} days after it", end, end + window)
        if place + 1 < len(times):
            yield Span("until the next", end + window, times[place + 1][1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("summary", type=Path)
    summary = json.loads(parser.parse_args().summary.read_text())
    print("| span | asked | refused | first after | reasons |\n|---|---|---|---|---|")
    with open_store(summary["store"], use="read") as store, store.connect() as connection:
        for span in spans(summary["faults"], SETTINGS.window_hours // 24):
            print(row_of(connection, span), flush=True)


if __name__ == "__main__":
    main()
