"""Deriving hours: from raw rows to profiles, sessions and invalid values, by a recipe, in a few statements.

Each statement takes any number of hours of any number of streams. What differs between models (grids, rules)
is bound as arrays, in which a value's place follows from its model and its feature's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.store.answer import read_parts
from driftline.store.derive_invalid import derive_invalid
from driftline.store.derive_profiles import derive_profiles
from driftline.store.hours import COUNTS, DERIVING, KEYS, RawRows, which_hours
from driftline.store.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from driftline.domain.streams import HourKey
    from driftline.store.connection import Connection
    from driftline.store.hours import Pointer
    from driftline.store.recipes import Recipes

_SESSIONS = f"""
INSERT INTO session_hours (derivation, {KEYS}, hour, session_id, rows, sequences, last_sequence, newest)
SELECT
    {{derivation:UInt64}}, {KEYS}, hour, session_id, count(), groupBitmapState(toUInt64(sequence)),
    max(sequence), maxIf(counted_time, set_aside = '')
FROM predictions WHERE %(hours)s
GROUP BY {KEYS}, hour, session_id
"""

_POINT = (
    "model_name model_version environment hour derivation rows counted future old segments recipe seconds"
).split()

DERIVED_TABLES = ("profiles", "session_hours", "invalid_values")
"""The tables whose rows count while a pointer names their derivation."""


def derive_hours(
    connection: Connection, hours: Collection[HourKey], recipes: Recipes, *, derivation: int
) -> None:
    """Write what is counted of these hours. It counts for nobody until `point_to` says so. Blocks.

    Args:
        connection: to the store.
        hours: which; of models that are counted in the same segments.
        recipes: by what.
        derivation: their new id.
    """
    condition, bound = which_hours(hours)
    bound["derivation"] = derivation
    counts = recipes.counts(hours)
    counted = f"{condition} AND {counts.sql}"
    held = read_parts(connection, counted, {**bound, **counts.bound})
    derive_profiles(connection, hours, recipes, counted, {**bound, **counts.bound}, held=held)
    connection.insert_selected(_SESSIONS % {"hours": condition}, bound, settings=DERIVING)
    checked = {each for each in hours if recipes.rules_of(each.stream).number}
    if checked:
        condition, bound = which_hours(checked)
        bound["derivation"] = derivation
        derive_invalid(connection, checked, recipes, f"{condition} AND {COUNTS.sql}", bound, held=held)


def point_to(
    connection: Connection,
    counted: Mapping[HourKey, RawRows],
    recipes: Recipes,
    *,
    derivation: int,
    seconds: float,
) -> None:
    """Let derived hours count, all of them in one insert.

    Args:
        connection: to the store.
        counted: which, and how many raw rows there were, and counted, before they were derived.
        recipes: by what.
        derivation: their id.
        seconds: what it took; each hour gets its share by rows.
    """
    total = max(sum(held.rows for held in counted.values()), 1)
    rows = [
        [
            *each.stream,
            each.hour * 3600,
            derivation,
            *held,
            recipes.segments_hash(each.stream.model_name),
            recipes.number_of(each.stream),
            seconds * held.rows / total,
        ]
        for each, held in counted.items()
    ]
    connection.insert("derived_hours", rows, column_names=_POINT)


def keep_derived(connection: Connection, pointers: Mapping[HourKey, Pointer], recipes: Recipes) -> None:
    """Let hours whose rows have begun to expire stay as they are, whatever recipe comes into force.

    In segments that they are not counted in they have no rows; readers do not wait for them.
    """
    stale = {each: known for each, known in pointers.items() if not recipes.fits(each.stream, known)}
    for each, known in stale.items():
        held = RawRows(known.rows, known.counted, known.future, known.old)
        point_to(connection, {each: held}, recipes, derivation=known.derivation, seconds=known.seconds)


def delete_superseded(connection: Connection, *, older_than_s: int = 900) -> None:
    """Delete derived rows that no pointer names, unless they may be about to count, or are being read.

    Args:
        connection: to the store.
        older_than_s: of derivations that began longer ago only, seconds.
    """
    for table in DERIVED_TABLES:
        delete_unpointed(connection, table, visible(), older_than_s=older_than_s)


def delete_unpointed(connection: Connection, table: str, is_visible: str, *, older_than_s: int) -> None:
    """Delete rows of a table that no pointer names.

    Args:
        connection: to the store.
        table: which, with the derivation of each row.
        is_visible: SQL for whether a pointer names a row.
        older_than_s: of derivations that began longer ago only, seconds.
    """
    stale = (
        f"bitShiftRight(derivation, 10) < toUnixTimestamp64Micro(now64(6)) - {int(older_than_s)} * 1000000 "
        f"AND NOT {is_visible}"
    )
    if connection.rows(f"SELECT count() FROM {table} WHERE {stale}")[0][0]:
        connection.command(f"DELETE FROM {table} WHERE {stale}")
