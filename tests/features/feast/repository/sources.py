"""Where a shop's features come from."""

from feast import BigQuerySource, FileSource, PushSource

DAY_COLUMN = "happened_at"

orders_file = FileSource(
    name="orders",
    path="data/orders.parquet",
    timestamp_field=DAY_COLUMN,
    created_timestamp_column="written_at",
)
visits_table = BigQuerySource(name="visits", table="shop.visits", timestamp_field="seen_at")
orders_pushed = PushSource(name="orders_pushed", batch_source=orders_file)
