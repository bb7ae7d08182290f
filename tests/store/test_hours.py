"""Hours: up to when whatever landed is derived, and what there is of a great many at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from driftline.domain.streams import HourKey, Stream
from driftline.store.hours import (
    Pointer,
    RawRows,
    count_raw_rows,
    nameable,
    of_model,
    of_stream,
    read_derived_until,
    read_pointers,
    read_unsettled,
    settled_after_all,
    write_derived_until,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def write(client, minutes, *, shards, shard):
    write_derived_until(client, NOON + timedelta(minutes=minutes), shards=shards, shard=shard)


def test_what_is_derived_is_what_the_slowest_of_the_profilers_that_share_the_models_has_derived(client):
    client.command("TRUNCATE TABLE profiling_progress")
    assert read_derived_until(client) == NEVER
    write(client, 1, shards=1, shard=0)
    assert read_derived_until(client) == NOON + timedelta(minutes=1)
    write(client, 5, shards=2, shard=1)
    assert read_derived_until(client) == NEVER, "the other half's profiler has derived nothing yet"
    write(client, 3, shards=2, shard=0)
    assert read_derived_until(client) == NOON + timedelta(minutes=3)
    write(client, 9, shards=2, shard=0)
    assert read_derived_until(client) == NOON + timedelta(minutes=5), "the newest of each counts"
    write(client, 20, shards=1, shard=0)
    assert read_derived_until(client) == NOON + timedelta(minutes=20), "one has all models again"


def test_rows_and_pointers_of_more_hours_than_one_statement_can_name_are_all_found(client):
    """In a list of more than 1 MiB the engine finds no value of such columns, and says nothing."""
    models, hours = 800, 30
    many = f"numbers({models * hours})"
    names = f"concat('many-', toString(intDiv(number, {hours}))) AS model_name, '1' AS model_version"
    hour = f"toDateTime('2026-03-01 00:00:00', 'UTC') + INTERVAL number % {hours} HOUR"
    client.command(
        "INSERT INTO prediction_inbox (event_id, event_time, model_name, model_version, training_run_id, "
        "environment, session_id, sequence) "
        f"SELECT generateUUIDv4(), {hour}, {names}, 'run', 'production', 's', number + 1 FROM {many}"
    )
    client.command(
        "INSERT INTO derived_hours (model_name, model_version, environment, hour, derivation, rows, "
        f"counted) SELECT {names}, 'production', {hour}, 7, 1, 1 FROM {many}"
    )
    first = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) // 3600
    asked = [
        HourKey(Stream(f"many-{model}", "1", "production"), first + hour)
        for model in range(models)
        for hour in range(hours)
    ]
    assert len(list(nameable(asked))) > 1
    assert count_raw_rows(client, asked) == dict.fromkeys(asked, RawRows(1, 1))
    assert read_pointers(client, asked) == dict.fromkeys(asked, Pointer(7, 1, counted=1))
    assert settled_after_all(client, asked) == frozenset(asked)


def test_of_no_hours_nothing_is_asked():
    assert count_raw_rows(None, []) == read_pointers(None, []) == {}


def test_of_many_streams_each_is_asked_for_its_own_hours(client):
    """What landed of others is not looked at: of a thousand streams, that is a thousandth."""
    for model in ("own", "other"):
        client.command(
            "INSERT INTO prediction_inbox (event_id, event_time, model_name, model_version, training_run_id, "
            "environment, session_id, sequence) SELECT generateUUIDv4(), "
            f"toDateTime64('2026-03-02 00:00:00', 6, 'UTC'), '{model}', '1', 'run', 'production', 's', 1"
        )
    own = Stream("own", "1", "production")
    hour = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) // 3600
    assert read_unsettled(client, of_stream(own)) == {HourKey(own, hour)}
    assert read_unsettled(client, of_model("own")) == {HourKey(own, hour)}
    assert read_unsettled(client, of_model("")) >= {
        HourKey(Stream(model, "1", "production"), hour) for model in ("own", "other")
    }
