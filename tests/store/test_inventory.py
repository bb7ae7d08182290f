"""Which models there are, and what they have."""

from __future__ import annotations

from driftline.domain.names import PROVENANCE_TAG
from driftline.monitors.known import KnownModel
from driftline.store.inventory import read_known_models
from tests.support.landing import put


def test_each_model_has_its_features_by_kind_and_the_tags_of_its_predictions(landing, client):
    put(
        landing,
        [
            {
                "features": {"age": 30.0, "city": "Bergen", "pay": None},
                "prediction": 0.5,
                "tags": {"country": "NO"},
            },
            {"features": {"pay": 10.0}, "prediction": 0.5, "tags": {"tenant": "a", PROVENANCE_TAG: "[]"}},
        ],
        model_name="inventory-churn",
    )
    put(landing, [{"features": {}, "label": "yes"}], model_name="inventory-bare")
    known = read_known_models(client)
    assert known["inventory-churn"] == KnownModel(
        numeric=frozenset({"age", "pay", "prediction.number"}),
        categorical=frozenset({"city"}),
        tags=frozenset({"country", "tenant"}),
    )
    bare = known["inventory-bare"]
    assert (bare.tags, "age" in bare.features) == (frozenset(), False)
    assert "" not in known, "marks of blocks are no models"
