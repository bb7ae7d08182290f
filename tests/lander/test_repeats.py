"""The earlier copy of a record that may repeat is looked for, in its batch and in the store."""

from __future__ import annotations

import pytest

from driftline.lander.repeats import find_repeats
from driftline.wire import PREDICTIONS_TOPIC
from tests.lander.partitioned import JANUARY, known_schema, record
from tests.lander.world import World


def test_a_copy_of_what_landed_is_left_out(client):
    world = World(client, records=10)
    world.land_all()
    copies = world.log.at(PREDICTIONS_TOPIC).values[4:8]
    world.log.append(PREDICTIONS_TOPIC, 0, copies, may_repeat=True)
    world.append(2, may_repeat=True)
    assert find_repeats(client, world.fetch(), known_schema) == (0, 1, 2, 3)
    world.land_all()
    world.assert_landed_once()


def test_a_copy_of_what_stands_earlier_in_the_batch_is_left_out(client):
    world = World(client, records=3)
    copies = world.log.at(PREDICTIONS_TOPIC).values[:2]
    world.log.append(PREDICTIONS_TOPIC, 0, copies, may_repeat=True)
    assert find_repeats(client, world.fetch(), known_schema) == (3, 4)
    world.land_all()
    world.assert_landed_once()


@pytest.mark.parametrize("until", ["intend", "insert", "commit"])
def test_what_was_left_out_is_left_out_again_and_nothing_else(client, until):
    """Repeated, the batch finds its own records in the store."""
    world = World(client, records=4)
    world.land_all()
    world.log.append(PREDICTIONS_TOPIC, 0, world.log.at(PREDICTIONS_TOPIC).values[:1], may_repeat=True)
    world.append(5, may_repeat=True)
    world.land(until=until)
    world.rewind(4)
    world.land_all()
    world.assert_landed_once()


def test_a_spill_that_was_sent_again_and_again_lands_once(client):
    """Each time with more behind it, cut anywhere; then the log is gone through once more."""
    world = World(client)
    world.append(6, may_repeat=True)
    for _ in range(3):
        values = world.log.at(PREDICTIONS_TOPIC).values
        world.log.append(PREDICTIONS_TOPIC, 0, values[:6], may_repeat=True)
        world.append(2, may_repeat=True)
        world.land(5)
    world.land_all(7)
    world.assert_landed_once()
    world.rewind(0)
    world.begin_anew()
    world.land_all(4)
    world.assert_landed_once()


def test_other_records_are_not_looked_at(client):
    world = World(client, records=2)
    world.land_all()
    world.log.append(PREDICTIONS_TOPIC, 0, world.log.at(PREDICTIONS_TOPIC).values[:1])
    world.land_all()
    assert world.ask("count(), uniqExact(sequence)") == [(3, 2)]


@pytest.mark.parametrize("bad", [b"", b"\xc3\x01", record("it's \\", 1)[:-30], record("s", 1, event_id="no")])
def test_what_can_not_land_is_no_copy(client, bad):
    world = World(client, records=1)
    world.log.append(PREDICTIONS_TOPIC, 0, [bad, bad], may_repeat=True)
    assert find_repeats(client, world.fetch(), known_schema) == ()


def test_names_are_quoted(client):
    world = World(client)
    named = record(world.session, 1, model_name="it's \\' a 'model'\n", event_time=JANUARY)
    world.log.append(PREDICTIONS_TOPIC, 0, [named])
    world.land_all()
    world.log.append(PREDICTIONS_TOPIC, 0, [named], may_repeat=True)
    world.land_all()
    assert world.ask("count(), uniqExact(sequence)") == [(1, 1)]
