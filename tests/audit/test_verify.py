"""What was changed by hand in the store is named, and nothing else is."""

from __future__ import annotations

import pytest

from driftline.audit.verify import verify
from tests.support.landing import put


def sealed(landing, sealer, model, *, events=20):
    """Land and seal events of a model; return their ids."""
    logged = [
        {"features": {"x": float(n), "c": "a"}, "label": f"l{n}", "entity_id": f"e{n}"} for n in range(events)
    ]
    ids = put(landing, logged, model_name=model)
    sealer.seal_everything()
    return ids


def report_of(client, model, **options):
    (report,) = verify(client, model_name=model, **options)
    return report


def whats(report):
    return [(finding.what, finding.event_id) for finding in report.findings]


def mutate(client, statement):
    client.command(statement, settings={"mutations_sync": 1})


def test_what_was_sealed_and_left_alone_verifies(landing, client, sealer):
    sealed(landing, sealer, "left")
    report = report_of(client, "left")
    assert (report.findings, report.rows, report.unsealed, report.links) == ([], 20, 0, 1)


@pytest.mark.parametrize(
    "change",
    [
        "prediction_label = concat('L', substring(prediction_label, 2))",
        "numeric_features = mapUpdate(numeric_features, map('x', 3.0000000000000004))",
        "entity_id = NULL",
        "landed_at = landed_at + INTERVAL 1 MILLISECOND",
        "landed_at = landed_at - INTERVAL 1 DAY",
        "landed_at = landed_at + INTERVAL 1 DAY",
    ],
)
def test_a_row_that_was_changed_is_named(landing, client, sealer, change):
    model = f"changed by {change}"
    ids = sealed(landing, sealer, model)
    mutate(client, f"ALTER TABLE predictions UPDATE {change} WHERE event_id = '{ids[3]}'")
    assert whats(report_of(client, model)) == [("changed", ids[3])]


def test_a_row_that_was_deleted_is_named_by_its_place(landing, client, sealer):
    ids = sealed(landing, sealer, "deleted")
    query = f"SELECT log_id, log_partition, log_offset FROM predictions WHERE event_id = '{ids[5]}'"
    (place,) = client.rows(query)
    mutate(client, f"DELETE FROM predictions WHERE event_id = '{ids[5]}'")
    (finding,) = report_of(client, "deleted").findings
    assert (finding.what, tuple(finding.place)) == ("deleted", tuple(place))
