"""Sealing: what landed is sealed once nothing can land beside it any more, the same by whoever does it."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.audit import SEALER_METRICS, Sealer
from driftline.audit.verify import verify
from driftline.domain.chain import Head
from driftline.metrics import Metrics
from driftline.store.chain import (
    ROW_COLUMNS,
    SLOT_MS,
    add_links,
    digest_rows,
    read_heads,
    read_last_links,
    read_links,
    read_store_ms,
)

DAY_MS = 86_400_000
names = (f"sealed {number}" for number in itertools.count())


def insert(client, model, landings, *, first_offset=0):
    """Put rows into the table that landed at some times, milliseconds, at offsets that follow each other."""
    rows = ", ".join(
        f"(generateUUIDv4(), fromUnixTimestamp64Milli({at}, 'UTC'), fromUnixTimestamp64Milli({at}, 'UTC'), "
        f"'log {model}', 0, {first_offset + place}, '{model}', '1', 'run', 's', {first_offset + place + 1}, "
        "'production', map('x', 1.5))"
        for place, at in enumerate(landings)
    )
    columns = (
        "event_id, event_time, landed_at, log_id, log_partition, log_offset, model_name, model_version, "
        "training_run_id, session_id, sequence, environment, numeric_features"
    )
    client.command(f"INSERT INTO predictions ({columns}) VALUES {rows}")


def old_slot(client, back=20):
    """Return when a window of long ago began."""
    return (read_store_ms(client) // SLOT_MS - back) * SLOT_MS


def chain(client, model):
    return [link for link, _ in read_links(client, model)]


def findings(client, model):
    (report,) = verify(client, model_name=model)
    return [finding.what for finding in report.findings]


def another(landing, **options):
    return Sealer(landing.store, metrics=Metrics(SEALER_METRICS), **options)


def test_what_landed_a_moment_ago_waits_and_is_counted_as_unsealed(client, sealer):
    insert(client, "young", [read_store_ms(client)])
    sealer.step()
    (report,) = verify(client, model_name="young")
    assert (report.links, report.unsealed, report.findings) == (0, 1, [])


def test_each_window_that_holds_rows_is_a_link(client, sealer):
    start = old_slot(client)
    insert(client, "windows", [start, start + 1, start + 2 * SLOT_MS])
    sealer.step()
    links = chain(client, "windows")
    assert [(link.rows, link.until_ms) for link in links] == [(2, start + SLOT_MS), (1, start + 3 * SLOT_MS)]
    assert findings(client, "windows") == []


def test_sealing_again_makes_nothing(landing, client, sealer):
    insert(client, "again", [old_slot(client)])
    other = another(landing)
    assert sealer.step() > 0
    assert other.step() == 0
    other.close()
    assert len(chain(client, "again")) == 1


def test_what_a_crash_left_between_digests_and_link_does_no_harm(client, sealer):
    start = old_slot(client)
    insert(client, "crashed", [start, start + SLOT_MS])
    digest_rows(client, "crashed", 0, start + 2 * SLOT_MS)
    sealer.step()
    assert findings(client, "crashed") == []
    assert [link.rows for link in chain(client, "crashed")] == [1, 1]


def test_of_two_that_extend_a_chain_at_once_one_wins_and_the_other_learns_it(client, sealer):
    start = old_slot(client)
    insert(client, "raced", [start])
    sealer.step()
    (link,) = chain(client, "raced")
    assert add_links(client, [link])
    assert not add_links(client, [dataclasses.replace(link, rows=7)])
    assert chain(client, "raced") == [link]


def test_a_row_that_becomes_visible_after_its_window_was_sealed_is_named(client, sealer):
    start = old_slot(client)
    insert(client, "late", [start])
    sealer.step()
    insert(client, "late", [start + 5], first_offset=1)
    assert findings(client, "late") == ["added"]


def test_a_row_with_the_place_of_another_is_named(client, sealer):
    start = old_slot(client)
    insert(client, "twice", [start])
    sealer.step()
    insert(client, "twice", [start])
    assert findings(client, "twice") == ["doubled"]


def test_the_last_link_before_midnight_is_kept_as_the_days_head(landing, client):
    midnight = read_store_ms(client) // DAY_MS * DAY_MS
    insert(client, "headed", [midnight - 2 * SLOT_MS, midnight - SLOT_MS])
    another_day = another(landing)
    another_day.step()
    another_day.close()
    last = read_last_links(client)["headed"]
    (head,) = read_heads(client, "headed")
    assert (head.number, head.hash) == (last.number, last.hash)
    assert findings(client, "headed") == []


def test_a_head_that_was_changed_is_named(landing, client):
    midnight = read_store_ms(client) // DAY_MS * DAY_MS
    insert(client, "beheaded", [midnight - SLOT_MS])
    another_day = another(landing)
    another_day.step()
    another_day.close()
    change = f"ALTER TABLE audit_heads UPDATE hash = '{'0' * 64}' WHERE model_name = 'beheaded'"
    client.command(change, settings={"mutations_sync": 1})
    assert findings(client, "beheaded") == ["head"]


def test_digests_that_were_changed_along_with_a_row_are_found(client, sealer):
    insert(client, "both", [old_slot(client)])
    sealer.step()
    change = "ALTER TABLE audit_rows UPDATE digest = 'x' WHERE model_name = 'both'"
    client.command(change, settings={"mutations_sync": 1})
    assert "digests" in findings(client, "both")


def test_a_chain_that_was_taken_away_is_found_by_what_was_kept_elsewhere(client, sealer):
    insert(client, "taken", [old_slot(client)])
    sealer.step()
    link = read_last_links(client)["taken"]
    client.command("DELETE FROM audit_links WHERE model_name = 'taken'", settings={"mutations_sync": 1})
    kept = [Head("taken", date(2026, 1, 1), link.number, link.hash)]
    (report,) = verify(client, model_name="taken", kept=kept)
    # Of an hour before midnight the sealer has kept the head by itself, too.
    assert {found.what for found in report.findings} == {"head"}


def test_rows_that_have_expired_by_the_tables_own_retention_are_no_finding(client, sealer):
    old_ms = read_store_ms(client) - 10 * DAY_MS
    insert(client, "expired", [old_ms, read_store_ms(client) - 20 * SLOT_MS])
    sealer.step()
    assert findings(client, "expired") == []
    client.command(
        "ALTER TABLE predictions MODIFY TTL hour + INTERVAL 5 DAY SETTINGS materialize_ttl_after_modify = 0"
    )
    try:
        client.command("OPTIMIZE TABLE predictions FINAL")
        (report,) = verify(client, model_name="expired")
        assert (report.findings, report.expired) == ([], 1)
        client.command("DELETE FROM predictions WHERE model_name = 'expired'", settings={"mutations_sync": 1})
        assert findings(client, "expired") == ["deleted"]
    finally:
        client.command("ALTER TABLE predictions REMOVE TTL")


def test_digests_are_made_of_every_stored_column(client):
    """Whoever adds a column begins another layout: the digests of rows that are sealed stay what they are."""
    query = """SELECT name FROM system.columns WHERE database = {database:String} AND table = 'predictions'
        AND default_kind != 'ALIAS' ORDER BY position"""
    columns = [name for (name,) in client.rows(query, {"database": client.database})]
    assert columns == list(ROW_COLUMNS)


@settings(max_examples=15)
@given(
    st.lists(st.lists(st.integers(0, 4 * SLOT_MS - 1), min_size=1, max_size=6), min_size=1, max_size=4),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_whatever_the_blocks_and_their_order_the_chain_is_the_same(landing, client, blocks, most, shuffled):
    """Rows land in blocks, in any order, and are sealed by sealers that take few or many rows at once."""
    start = old_slot(client)
    hashes = []
    model, mirror = next(names), next(names)
    for name in (model, mirror):
        placed = list(enumerate(blocks))
        if name == mirror:
            shuffled.shuffle(placed)
        for number, block in placed:
            insert(client, name, [start + at for at in block], first_offset=100 * number)
        sealer = another(landing, most_rows=most if name == model else 10**6)
        sealer.step()
        sealer.step()
        sealer.close()
        hashes.append(
            [(link.number, link.since_ms, link.until_ms, link.rows) for link in chain(client, name)]
        )
        assert findings(client, name) == []
    assert hashes[0] == hashes[1]
    assert sum(rows for _, _, _, rows in hashes[0]) == sum(len(block) for block in blocks)
