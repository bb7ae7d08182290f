"""Predictions with outcomes, as a model serves them: what the room's tests log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.domain.incidents import Finding
from tests.support.traffic import make_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.support.landing import Landing

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def finding_of(since: int, last: int) -> Finding:
    """Return that x moved from one hour to another, and was found in the hour behind the first."""
    return Finding(
        segment="",
        feature="x",
        kind="numeric",
        reference="production",
        channel=None,
        effect=0.4,
        expected=0.1,
        observed=0.5,
        z=9.0,
        scale_hours=1,
        since=since,
        detected=since + 1,
        last=last,
        episode_ids=(),
    )


def event(number: int, *, step_s: float = 180) -> dict[str, Any]:
    """Return the arguments of ``log`` for one event; the truth of each is `truth`."""
    return {
        "features": {"x": float(number), "c": f"c{number % 3}"},
        "prediction": (number % 10 + 0.5) / 10,
        "entity_id": f"e{number % 20}",
        "request_id": f"r{number}",
        "tags": {"region": "eu" if number % 2 else "us"},
        "event_time": START.timestamp() + step_s * number,
    }


def truth(number: int) -> int:
    return int(number % 10 >= 5)


def serve(
    landing: Landing,
    model: str,
    numbers: Iterable[int],
    *,
    version: str = "1",
    known: bool = True,
    truths: Callable[[int], float] = truth,
    step_s: float = 180,
    events: Mapping[int, Mapping[str, Any]] | None = None,
    **names: Any,
) -> Sequence[str]:
    """Log events and their truths, land and derive them; return their ids."""
    chosen = list(numbers)
    given = {"model_name": model, "model_version": version, "training_run_id": f"run-{version}", **names}
    with make_logger(landing.log, **given) as logger:
        ids = [logger.log(**(events or {}).get(number, event(number))) for number in chosen]
        if known:
            for number, event_id in zip(chosen, ids, strict=True):
                observed = event(number, step_s=step_s)["event_time"] + 60
                logger.log_outcome(event_id, actual=truths(number), observed_time=observed)
    assert None not in ids
    landing.land()
    return ids


def correct(landing: Landing, model: str, outcomes: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Log outcomes of events that were logged before, each the arguments of ``log_outcome``; land them."""
    with make_logger(landing.log, model_name=model, model_version="1") as logger:
        for event_id, outcome in outcomes:
            logger.log_outcome(event_id, **outcome)
    landing.land()
