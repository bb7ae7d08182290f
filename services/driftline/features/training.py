"""Training sets: for each row the values that a model could have got at that moment, and no later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.errors import SettingError
from driftline.features.tables import (
    column_of,
    columns_of,
    entity_texts,
    feature_value_of,
    import_arrow,
    plain_column,
    times_us,
)
from driftline.store.feature_join import PIECE_ROWS, arrow_stream
from driftline.store.feature_values import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from driftline.features.definitions import FeatureService, Selected
    from driftline.store.connection import Connection

TIME_SUFFIX: Final = "__event_time"


def get_training_set(
    connection: Connection,
    service: FeatureService,
    entities: Any,
    *,
    event_time: str = "event_time",
    times: bool = False,
) -> pa.Table:
    """Return rows with a service's features, as they could be known at each row's time.

    Of each view it is the newest row by event time among those that could be known then; what arrived late
    and is older overwrites nothing; of several of one event time the one that arrived last counts, and none
    that is older than the view's ttl. A value that is null and one that is missing are both null here;
    ``times`` tells them apart.

    Args:
        connection: to the store.
        service: whose features.
        entities: a DataFrame, an Arrow table or a dict of columns: the entities' keys, the time, what the
            service's on-demand views want of a request, and whatever else is to stay. n rows.
        event_time: the column that says as of when.
        times: adds a column ``VIEW__event_time`` for each view, in UTC; null where its values are missing.

    Returns:
        An Arrow table of n rows in the same order: the columns that were given, then the features.

    Raises:
        SettingError: a column is lacking or holds something else, or pyarrow is not installed.
        StoreError: the store can't be asked.
    """
    arrow = import_arrow("a training set")
    columns = columns_of(entities)
    at = times_us(column_of(columns, event_time, "the time of each row"), event_time)
    given = {name: _given(arrow, name, column) for name, column in columns.items()}
    known_times: dict[str, Any] = {}
    keys: dict[tuple[str, ...], list[str]] = {}
    for selected in service.selected:
        entity = selected.view.entity
        if entity.keys not in keys:
            keys[entity.keys] = entity_texts(columns, entity)
        found = _values_as_of(connection, arrow, selected, keys[entity.keys], at)
        moments = found.column("event_us").cast(arrow.timestamp("us", tz="UTC"))
        known_times[f"{selected.view.name}{TIME_SUFFIX}"] = moments
        for name in selected.names:
            given[name] = found.column(name)
    _compute(arrow, service, columns, given)
    ordered = [name for name in given if name not in service.names] + list(service.names)
    table = {name: given[name] for name in ordered}
    return arrow.table({**table, **known_times} if times else table)


def _values_as_of(
    connection: Connection, arrow: Any, selected: Selected, keys: Sequence[str], at: Sequence[int]
) -> Any:
    """Return an Arrow table with what is selected, and with event_us, in the order of the keys."""
    view = selected.view
    numbers = {name: place for place, name in enumerate(view.numbers) if name in selected.names}
    texts = {name: place for place, name in enumerate(view.texts) if name in selected.names}
    kinds = {name: arrow.float64() for name in numbers} | {name: arrow.string() for name in texts}
    schema = arrow.schema([("event_us", arrow.int64()), *((name, kinds[name]) for name in selected.names)])
    # By entity, so that the history of each is read once.
    order = sorted(range(len(keys)), key=keys.__getitem__)
    pieces = []
    for start in range(0, len(order), PIECE_ROWS):
        places = order[start : start + PIECE_ROWS]
        stream = arrow_stream(
            connection,
            Place(view.name, view.computation),
            [keys[place] for place in places],
            [at[place] for place in places],
            ttl_us=view.ttl_us,
            numbers=numbers,
            texts=texts,
        )
        piece = arrow.ipc.open_stream(stream).read_all()
        pieces.append(piece.select(schema.names).cast(schema))
    found = arrow.concat_tables(pieces) if pieces else schema.empty_table()
    back = sorted(range(len(order)), key=order.__getitem__)
    return found.take(arrow.array(back, arrow.int64()))


def _compute(arrow: Any, service: FeatureService, columns: Mapping[str, Any], given: dict[str, Any]) -> None:
    """Add what is computed when it is asked for, row by row: the same call as a service makes."""
    for view in service.on_demand:
        request = {
            name: plain_column(column_of(columns, name, f"which {view.name} wants of a request"), name)
            for name in view.request
        }
        names = [name for name in service.names if name in given]
        values = {**{name: given[name].to_pylist() for name in names}, **request}
        made: dict[str, list[Any]] = {name: [] for name in view.features}
        for row in zip(*values.values(), strict=True):
            for name, value in view.compute(dict(zip(values, row, strict=True))).items():
                made[name].append(feature_value_of(view.features[name], value))
        for name, kind in view.features.items():
            given[name] = arrow.array(made[name], arrow.float64() if kind == "numeric" else arrow.string())


def _given(arrow: Any, name: str, column: Any) -> Any:
    if isinstance(column, (arrow.Array, arrow.ChunkedArray)):
        return column
    try:
        return arrow.array(column, from_pandas=type(column).__module__.partition(".")[0] == "pandas")
    except (arrow.ArrowException, TypeError) as error:
        raise SettingError(f"{name}: its values are of no one kind: {error}") from error
