"""Definitions as code: a version is a hash of all that decides which value is read, and is kept."""

from __future__ import annotations

import linecache
from dataclasses import replace
from datetime import timedelta

import pytest

from driftline.errors import NotFoundError, SettingError
from driftline.features import Entity, FeatureService, FeatureView, OnDemandView, Source
from driftline.features.documents import KIND_OF, read_document, write_document
from driftline.features.listing import list_features, show_feature
from driftline.features.loading import load_definitions
from driftline.features.registering import find_service, find_view, read_registered, register

PLANE = Entity("plane", key="tailnum")


def doubled(row):
    return {"seats": row["places"] * 2, "engine": row["engine"]}


def halved(row):
    return {"seats": row["places"] / 2, "engine": row["engine"]}


PLANES = FeatureView(
    "planes",
    PLANE,
    {"seats": "numeric", "engine": "categorical"},
    ttl=timedelta(days=1),
    source=Source(path="planes.parquet", delay=timedelta(hours=2)),
    transform=doubled,
    owner="ops",
    tags={"tier": "1"},
)
SHARE = OnDemandView("share", {"share": "numeric"}, lambda row: {"share": row["seats"]}, request=("sold",))
SERVICE = FeatureService("delays", [PLANES["seats"], SHARE], model="flight-delay", owner="ds")


@pytest.mark.parametrize(
    ("change", "makes_version", "makes_computation"),
    [
        ({"ttl": timedelta(days=2)}, True, False),
        ({"ttl": None}, True, False),
        ({"transform": halved}, True, True),
        ({"transform": None}, True, True),
        ({"features": {"seats": "numeric"}}, True, True),
        ({"features": {"engine": "categorical", "seats": "numeric"}}, True, True),
        ({"entity": Entity("plane", key="plane_id")}, True, True),
        ({"owner": "others", "tags": {}, "description": "of planes"}, False, False),
        ({"source": None}, False, False),
    ],
)
def test_what_decides_which_value_is_read_makes_a_version(change, makes_version, makes_computation):
    changed = replace(PLANES, **change)
    assert (changed.version != PLANES.version) == makes_version
    assert (changed.computation != PLANES.computation) == makes_computation
    service = replace(SERVICE, features=[changed["seats"], SHARE])
    assert (service.version != SERVICE.version) == makes_version


@pytest.mark.parametrize("one", [PLANES, SHARE, SERVICE], ids=lambda one: one.name)
def test_a_definition_comes_back_from_its_document_with_its_version(one):
    back = read_document(KIND_OF[type(one)], write_document(one))
    assert (back.name, back.version) == (one.name, one.version)
    assert write_document(back) == write_document(one)


def test_of_a_transform_that_was_stored_only_the_text_is_known():
    back = read_document("on_demand", write_document(SHARE))
    with pytest.raises(SettingError, match="code is not here, only its text; import the definitions"):
        back.compute({"seats": 1.0})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Entity("two names"), "'two names' is no name"),
        (lambda: replace(PLANES, features={}), "there is no feature in it"),
        (lambda: replace(PLANES, features={"seats": "integer"}), "there are numeric and categorical"),
        (lambda: replace(PLANES, ttl=timedelta(0)), "would expire every value"),
        (lambda: PLANES["wings"], "has no feature 'wings'; it has: seats, engine"),
        (lambda: FeatureService("both", [PLANES, PLANES["seats"]]), "both have a feature 'seats'"),
        (lambda: Source(path="x", table="y", delay=timedelta(0)), "either path"),
        (lambda: Source(path="x"), "or training would see the future"),
        (lambda: replace(PLANES, transform=eval("lambda row: row")), "define it in a file"),
    ],
)
def test_what_is_wrong_is_named(make, message):
    with pytest.raises(SettingError, match=message):
        make()


def test_registering_again_changes_nothing_and_every_version_stays(connection):
    assert [each.name for each in register(connection, [SERVICE], author="ann")] == [
        "planes",
        "share",
        "delays",
    ]
    assert register(connection, [SERVICE, PLANES], author="bob") == []
    shorter = replace(PLANES, ttl=timedelta(hours=1))
    assert register(connection, [shorter], author="bob") == [shorter]
    assert find_view(connection, "planes").ttl == timedelta(hours=1)
    assert find_view(connection, "planes", PLANES.version).ttl == timedelta(days=1)
    assert find_service(connection, "delays").selected[0].view.version == PLANES.version
    (view,) = read_registered(connection, kind="view")
    assert (view.version, view.by, view.versions) == (shorter.version, "bob", 2)
    with pytest.raises(NotFoundError, match="'plane' is registered; there are: planes"):
        find_view(connection, "plane")
    shown = show_feature(connection, "planes", now_s=0.0)
    assert [each.version for each in shown.versions] == [shorter.version, PLANES.version]
    assert shown.used_by == ["delays (flight-delay)"]
    assert [each.registered.definition.name for each in list_features(connection, now_s=0.0)] == [
        "planes",
        "share",
        "delays",
    ]


def test_a_file_gives_its_definitions_and_what_services_read(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from driftline.features import Entity, FeatureService, FeatureView\n"
        "service = FeatureService('s', [FeatureView('v', Entity('e'), {'x': 'numeric'})])\n"
    )
    defined = load_definitions(file)
    assert [each.name for each in defined.all] == ["v", "s"]
    with pytest.raises(NotFoundError, match="no feature view 'w'; it has: v"):
        defined.view("w")
    file.write_text("x = 1 / 0")
    with pytest.raises(SettingError, match="ZeroDivisionError"):
        load_definitions(file)
    file.write_text("x = 1")
    with pytest.raises(SettingError, match="defines no feature view"):
        load_definitions(file)


def test_a_function_made_from_a_string_is_refused_whatever_text_goes_by_that_name(monkeypatch):
    """A process that was started by `python -c` has its own text there, from 3.13 on."""
    text = "lambda row: {'seats': 1}\n"
    monkeypatch.setitem(linecache.cache, "<string>", (len(text), None, [text], "<string>"))
    with pytest.raises(SettingError, match="define it in a file"):
        replace(PLANES, transform=eval("lambda row: {'seats': 2}"))
