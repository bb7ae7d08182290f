"""A shop's features, as somebody who uses Feast writes them."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Float32, Int64, String
from sources import orders_file, orders_pushed, visits_table

TTL_DAYS = 7

buyer = Entity(name="buyer", join_keys=["buyer_id"], value_type=ValueType.INT64, description="who buys")
item = Entity(name="item")
basket = Entity(name="basket", join_keys=["buyer_id", "day"])

orders = FeatureView(
    name="orders",
    entities=[buyer],
    ttl=timedelta(days=TTL_DAYS * 2),
    schema=[
        Field(name="spent", dtype=Float32),
        Field(name="count", dtype=Int64),
        Field(name="favourite", dtype=String),
        Field(name="embedding", dtype=Array(Float32)),
    ],
    source=orders_pushed,
    owner="shop@example.org",
    tags={"team": "shop"},
)
visits = FeatureView(name="visits", entities=[item], schema=[Field("seen", Int64)], source=visits_table)
plain = FeatureView(
    name="plain", entities=[item], schema=[Field(name="price", dtype=Float32)], source=orders_file
)
baskets = FeatureView(
    name="baskets", entities=[basket], schema=[Field(name="n", dtype=Int64)], source=orders_file
)
bought = FeatureView(
    name="bought", entities=[buyer, item], schema=[Field(name="times", dtype=Int64)], source=orders_file
)

asked = RequestSource(name="asked", schema=[Field(name="amount", dtype=Float32)])


@on_demand_feature_view(
    sources=[orders, asked], schema=[Field(name="ratio", dtype=Float32)], mode="python", singleton=True
)
def ratio_of_spent(inputs):
    """How much of what was spent this would be."""
    return {"ratio": inputs["amount"] / inputs["spent"] if inputs["spent"] else None}


@on_demand_feature_view(sources=[orders], schema=[Field(name="half", dtype=Float32)])
def half_of_spent(frame):
    return frame[["spent"]] / 2


checkout = FeatureService(
    name="checkout", features=[orders[["spent", "favourite"]], ratio_of_spent, half_of_spent], owner="shop"
)
