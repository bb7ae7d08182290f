"""Hours: up to when whatever landed is derived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from driftline.store.hours import read_derived_until, write_derived_until

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
