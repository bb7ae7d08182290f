"""A Feast repository's definitions become driftline's, without Feast; what has no counterpart is named."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.errors import SettingError
from driftline.features import Source
from driftline.features.feast.importing import import_feast
from driftline.features.loading import load_definitions

REPOSITORY = Path(__file__).parent / "repository"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What was imported, and what the file that came of it defines."""
    out = tmp_path_factory.mktemp("feast") / "shop_features.py"
    done = CliRunner().invoke(
        driftline, ["features", "import-feast", str(REPOSITORY), "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.output), load_definitions(out)


def test_views_keep_entity_kinds_ttl_source_owner_and_tags(written):
    _, defined = written
    orders = defined.views["orders"]
    assert (orders.entity.name, orders.entity.key, orders.entity.description) == (
        "buyer",
        "buyer_id",
        "who buys",
    )
    assert orders.features == {"spent": "numeric", "count": "numeric", "favourite": "categorical"}
    assert orders.ttl == timedelta(days=14)
    assert orders.source == Source(
        path="data/orders.parquet", event_time="happened_at", available_time="written_at"
    )
    assert (orders.owner, orders.tags) == ("shop@example.org", {"team": "shop"})
    assert (defined.views["visits"].ttl, defined.views["visits"].source) == (None, None)


def test_a_service_keeps_which_features_it_takes(written):
    _, defined = written
    assert defined.services["checkout"].names == ["spent", "favourite", "ratio"]


def test_a_function_of_one_row_comes_along_with_its_code(written):
    _, defined = written
    ratio = defined.on_demand["ratio_of_spent"]
    assert ratio.request == ("amount",)
    assert ratio.compute({"amount": 3.0, "spent": 6.0}) == {"ratio": 0.5}


def test_what_has_no_counterpart_is_named_with_its_place(written):
    report, _ = written
    assert [each.partition(" (")[0] for each in report["left_out"]] == [
        "feature embedding of view orders",
        "on-demand view half_of_spent",
        "half_of_spent of service checkout",
    ]
    assert report["left_out"][0].startswith("feature embedding of view orders (definitions.py, line ")
    assert report["notes"] == [
        "View visits read BigQuerySource visits: push its rows, or copy them to Parquet."
    ]
    assert "# Left out: feature embedding" in report["text"]


def test_an_entity_with_several_keys_and_a_view_of_several_entities_have_all_of_them(written):
    _, defined = written
    assert defined.views["baskets"].entity.keys == ("buyer_id", "day")
    assert defined.views["bought"].entity.keys == ("buyer_id", "item")


def test_a_view_without_a_second_clock_is_noted(tmp_path):
    (tmp_path / "one.py").write_text(
        "a = Entity(name='a')\n"
        "v = FeatureView(name='v', entities=['a'], schema=[Field(name='x', dtype=Int64)],\n"
        "    source=FileSource(path='x.parquet', timestamp_field='t'))\n"
    )
    found = import_feast(tmp_path)
    assert "delay=timedelta(0)" in found.text("one")
    assert "View v had one clock" in found.notes[0]


def test_what_is_no_repository_is_refused(tmp_path):
    with pytest.raises(SettingError, match="no file of Python"):
        import_feast(tmp_path)
    (tmp_path / "broken.py").write_text("def (")
    with pytest.raises(SettingError, match=r"broken\.py, line 1: it is no Python"):
        import_feast(tmp_path)
