"""Two versions of one model on the same rows: the second in shadow, a little better, from another commit."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from driftline.domain.hours import hour_time

if TYPE_CHECKING:
    from driftline.store.connection import Connection

MODEL = "fare"
PROJECT = "<i>desk</i> & co"
ROWS = 120


def write_compared(client: Connection, end: int) -> None:
    """Register two versions of `MODEL` with their runs, and have both answer the same rows before an hour."""
    _register(client, end)
    predictions, outcomes = [], []
    for number in range(ROWS):
        when = hour_time(end - 1 - number // 10) + timedelta(minutes=number % 10)
        late = number % 3 == 0
        for version, environment, flaw, latency_us in (
            ("1", "production", number % 8 == 0, 9000 + 10 * number),
            ("2", "shadow", number % 20 == 1, 6000 + 10 * number),
        ):
            event_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{version} {number}")
            score = abs(late - (0.8 if flaw else 0.1 + number % 7 / 50))
            names = [MODEL, version, f"fare-{version}", f"session-{MODEL}-{version}", number + 1, environment]
            predictions.append(
                [
                    event_id,
                    when,
                    *names,
                    score,
                    "late" if score >= 0.5 else "in time",
                    f"r{number}",
                    latency_us,
                ]
            )
            if environment == "production":
                outcomes.append([event_id, when + timedelta(minutes=40), MODEL, float(late)])
    names = "event_id event_time model_name model_version training_run_id session_id sequence environment"
    answers = "prediction_number prediction_label request_id latency_us"
    client.insert("prediction_inbox", predictions, column_names=f"{names} {answers}".split())
    client.insert(
        "outcomes", outcomes, column_names=["event_id", "observed_time", "model_name", "actual_number"]
    )


def _register(client: Connection, end: int) -> None:
    names = "log_offset event_id event_time model_name kind model_version training_run_id environment stage"
    names += " expected_head project"
    decided = [
        ("version", "1", "", ""),
        ("version", "2", "", ""),
        ("stage", "1", "production", ""),
        ("stage", "2", "shadow", str(uuid.UUID(int=102))),
    ]
    rows = [
        [
            *(100 + place, uuid.UUID(int=100 + place), hour_time(end - 500 + place), MODEL, kind, version),
            *(
                "" if kind == "stage" else f"fare-{version}",
                "production",
                stage,
                head,
                PROJECT if kind == "version" else "",
            ),
        ]
        for place, (kind, version, stage, head) in enumerate(decided)
    ]
    client.insert("registry_events", rows, column_names=names.split())
    packages = {"1": "numpy==1.26.4\nscikit-learn==1.4.0", "2": "numpy==1.26.4\nscikit-learn==1.5.2"}
    columns = (
        "log_offset training_run_id model_name model_version registered_time git_commit environment_kind"
    )
    columns += " environment_text environment_sha256 parameters metrics features cost"
    runs = [
        [
            *(100 + place, f"fare-{version}", MODEL, version, hour_time(end - 500 + place)),
            *(f"{'4d' if version == '1' else '7e'}90c1aa", "packages", packages[version], version * 64),
            *({"depth": depth, "loss": "<b>log</b>"}, {"test.auc": auc}, features, {"cpu_s": 31.5}),
        ]
        for place, (version, depth, auc, features) in enumerate(
            (
                ("1", "4", 0.881, {"distance": "numeric"}),
                ("2", "6", 0.902, {"distance": "numeric", "weekday": "categorical"}),
            )
        )
    ]
    client.insert("training_run_events", runs, column_names=columns.split())
