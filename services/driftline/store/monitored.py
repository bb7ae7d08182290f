"""From what a file of monitors says of a model to what the store counts of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.domain.business_value import BusinessValue, Worth
from driftline.monitors.known import KnownModel
from driftline.store.business_values import read_business_values, set_business_value
from driftline.store.inventory import read_known_models
from driftline.store.kinds import read_set_kinds, set_kinds
from driftline.store.rules import set_rules
from driftline.store.segments import MAX_SEGMENTS, known_values, name_segments, wanted_segments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.monitors import ModelMonitor, Monitors
    from driftline.monitors.model import S
    from driftline.store.connection import Connection


def follow_monitors(connection: Connection, monitors: Monitors[S]) -> Sequence[str]:
    """Have segments, rules and kinds of features be those that a file of monitors names; return warnings.

    Of all models: those that have landed, and those that the file names in full. Doing it again changes
    nothing, but finds models, and values of segments, that are new.

    Raises:
        SettingError: a rule is of no use to the store.
    """
    known = read_known_models(connection)
    kinds, values = read_set_kinds(connection), read_business_values(connection)
    warnings: list[str] = []
    for name in dict.fromkeys([*known, *(name for name in monitors.entries if "*" not in name)]):
        found = follow_segments_of(connection, name, monitors.of(name))
        warnings += found if name in known else ()
        features = known.get(name, KnownModel()).features
        follow_rules_of(connection, name, monitors.of(name), features)
        wanted = monitors.of(name).kinds(features)
        if wanted != kinds.get(name, {}):
            set_kinds(connection, name, wanted)
        value = business_value_of(monitors.of(name))
        if value != values.get(name):
            set_business_value(connection, name, value)
    return warnings


def business_value_of(monitor: ModelMonitor[S]) -> BusinessValue | None:
    """Return what a model's answers are worth by its monitor; None: it does not say."""
    given = monitor.business_value
    if not given:
        return None
    return BusinessValue(
        currency=given["currency"],
        of_yes=Worth(**{name: worth for name, worth in given.items() if name in Worth.__slots__}),
        classes={label: Worth(**own) for label, own in given.get("classes", {}).items()},
        over=given.get("over", 0.0),
        under=given.get("under", 0.0),
    )


def follow_segments_of(connection: Connection, model_name: str, monitor: ModelMonitor[S]) -> Sequence[str]:
    """Have a model counted in the segments that its monitor names; return warnings, none if all is well.

    Of a key those values are taken that are frequent now (see ``set_segments``), and those that were taken
    before: a value that is rarer today is still judged. Values that come later are found by doing this
    again. Where nothing is new, nothing is written: a change has all rows of the model counted anew.
    """
    before = wanted_segments(connection, model_name)
    warnings: list[str] = []
    found: list[str] = list(monitor.segments)
    for key in monitor.segment_keys:
        kept = [segment for segment in before if segment.partition("=")[0] == key]
        new = [f"{key}={value}" for value in known_values(connection, model_name, key)]
        if not kept and not new:
            warnings.append(
                f"model {model_name!r} has no tag or categorical feature {key!r} with frequent values"
            )
        found += [*kept, *new]
    wanted = list(dict.fromkeys(found))
    if len(wanted) > MAX_SEGMENTS:
        warnings.append(
            f"{len(wanted)} segments of model {model_name!r} are too many; {MAX_SEGMENTS} are counted, "
            f"{wanted[MAX_SEGMENTS]!r} and what follows are not: name fewer keys in the file of monitors"
        )
        wanted = wanted[:MAX_SEGMENTS]
    if set(wanted) != set(before):
        name_segments(connection, model_name, wanted)
    return warnings


def follow_rules_of(
    connection: Connection, model_name: str, monitor: ModelMonitor[S], features: Iterable[str] = ()
) -> None:
    """Have the rules in force that a model's monitor sets, and no others beside those that were learned.

    Doing it again changes nothing. The model may be one of which nothing has landed yet.

    Args:
        connection: to the store.
        model_name: the model.
        monitor: what the file says of it.
        features: that it is known to have, among which patterns are looked up; see ``read_known_models``.
    """
    set_rules(connection, model_name, monitor.rules(features), replaces=True)
