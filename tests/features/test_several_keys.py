"""An entity with several keys, such as a user at a merchant, is one entity wherever features go."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from driftline.errors import SettingError
from driftline.features import Entity, FeatureService, FeatureView, scoring
from driftline.features.documents import read_document, write_document
from driftline.features.history import push
from driftline.features.materialize import materialize
from driftline.features.online import get_online, open_online, read_provenance
from driftline.features.scoring import read_once, score
from driftline.features.training import get_training_set

START = datetime(2026, 1, 1, tzinfo=UTC)
BOUGHT = FeatureView("bought", Entity("buyer", key=("user", "merchant")), {"times": "numeric"})
SPENT = FeatureView("spent", Entity("user"), {"total": "numeric"})
SERVICE = FeatureService("checkout", [BOUGHT, SPENT])
ROWS = {
    "user": [7, 7.0, "8", "a,b", "a", 7],
    "merchant": ["x", "y", "x", "c", "b,c", None],
    "event_time": [START] * 6,
    "times": [1, 2, 3, 4, 5, 6],
}
"""The fourth and the fifth would be one if their keys were merely joined."""


@pytest.fixture(scope="module")
def filled(connection):
    done = push(connection, BOUGHT, ROWS, available_time="event_time")
    assert (done.rows, [each.why for each in done.refusals]) == (5, ["there is no user or no merchant"])
    totals = {"user": ["7", "8"], "event_time": [START] * 2, "total": [70, 80]}
    push(connection, SPENT, totals, available_time="event_time")
    return connection


@pytest.fixture
def online(filled, tmp_path):
    with closing(open_online(f"sqlite://{tmp_path}/online.db")) as opened:
        for view in (BOUGHT, SPENT):
            materialize(filled, opened, view)
        yield opened


def test_a_training_set_has_the_values_of_all_keys_together(filled):
    asked = {
        "user": ["7", "7", "8", "a,b", "a", "8"],
        "merchant": ["x", "y", "x", "c", "b,c", "y"],
        "event_time": [START + timedelta(hours=1)] * 6,
    }
    found = get_training_set(filled, SERVICE, asked).to_pydict()
    assert found["times"] == [1.0, 2.0, 3.0, 4.0, 5.0, None]
    assert found["total"] == [70.0, 70.0, 80.0, None, None, 80.0]
    with pytest.raises(SettingError, match="no column 'merchant', a key of buyer"):
        get_training_set(filled, SERVICE, {"user": ["7"], "event_time": [START]})


def test_online_it_is_asked_for_by_a_mapping_or_in_the_order_of_its_keys(online):
    found = get_online(online, SERVICE, {"merchant": "y", "user": 7})
    assert found.features == {"times": 2.0, "total": 70.0}
    assert read_provenance(found.provenance.tags).views["bought"].entity == '["7","y"]'
    alone = FeatureService("alone", [BOUGHT])
    assert get_online(online, alone, ("a", "b,c")).features == {"times": 5.0}
    for given, message in (
        ({"user": 7}, "no key 'merchant' of the entity"),
        ("7", "buyer has the keys user, merchant; give all of them"),
        ((7, "x", 1), "give all of them"),
    ):
        with pytest.raises(SettingError, match=message):
            get_online(online, alone, given)


def test_what_is_scored_is_logged_under_all_keys_piece_by_piece(filled, monkeypatch):
    monkeypatch.setattr(scoring, "PIECE_ROWS", 2)
    table = read_once(filled, [SERVICE], {"user": [7, 8, 9], "merchant": ["y", "x", "x"]}, now_s=2e9)
    pieces = []

    def log_batch(*, entity_ids, tags, **_):
        pieces.append(entity_ids)
        assert len(tags["driftline.features"]) == len(entity_ids)
        return entity_ids

    trained = SimpleNamespace(predict=lambda frame: frame["times"].fillna(0) + frame["total"].fillna(0))
    model, logger = SimpleNamespace(model_name="m"), SimpleNamespace(log_batch=log_batch)
    done = score(model, SERVICE, table, logger, trained)
    assert (done.scores, pieces) == ([72.0, 83.0, 0.0], [['["7","y"]', '["8","x"]'], ['["9","x"]']])
    assert done.event_ids == [key for piece in pieces for key in piece]


def test_its_definition_comes_back_and_one_key_is_what_it_was():
    assert read_document("service", write_document(SERVICE)).version == SERVICE.version
    assert Entity("user", key=("user",)) == Entity("user")
    assert FeatureView("spent", Entity("user", key="user"), {"total": "numeric"}).version == SPENT.version
    with pytest.raises(SettingError, match="a column is named twice in user, user"):
        Entity("buyer", key=("user", "user"))
