"""Reading a service's features online: by the same rules as a training set is made."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from driftline.errors import SettingError
from driftline.features.online.base import ViewKey
from driftline.features.online.provenance import Provenance, ViewRead
from driftline.wire.reasons import ValueRefusedError
from driftline.wire.values import number_value, text_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.features.definitions import Entity, FeatureService, OnDemandView, Selected
    from driftline.features.online.base import OnlineRow, OnlineStore

Status = Literal["present", "null", "missing", "expired"]


@dataclass(frozen=True, slots=True)
class Online:
    """A service's features of one entity, as they are now.

    Args:
        features: value by name; None where it is null. What is missing or has expired is not in it.
        statuses: of each feature of views, by name.
        provenance: hand its ``tags`` to ``PredictionLogger.log``.
    """

    features: Mapping[str, float | str | None]
    statuses: Mapping[str, Status]
    provenance: Provenance


def get_online(
    store: OnlineStore,
    service: FeatureService,
    entity: Any,
    *,
    request: Mapping[str, Any] | None = None,
    clock: Callable[[], float] = time.time,
) -> Online:
    """Return a service's features of one entity, as they are now.

    Args:
        store: the online back end.
        service: whose features.
        entity: the entity's key, or a tuple of its keys; of a service with several entities a mapping, key by
            the name of its column.
        request: what the service's on-demand views want of the request.
        clock: the time now, seconds since 1970.

    Raises:
        SettingError: a key, or something of the request, is lacking.
        OnlineError: the back end can't be used.
    """
    return get_online_many(store, service, [entity], requests=[request or {}], clock=clock)[0]


def get_online_many(
    store: OnlineStore,
    service: FeatureService,
    entities: Sequence[Any],
    *,
    requests: Sequence[Mapping[str, Any]] | None = None,
    clock: Callable[[], float] = time.time,
) -> list[Online]:
    """Return a service's features of many entities, with one question a view.

    Args:
        store: the online back end.
        service: whose features.
        entities: as in ``get_online``. n of them.
        requests: as in ``get_online``. Length n.
        clock: the time now, seconds since 1970.

    Returns:
        One for each entity, in this order.

    Raises:
        SettingError: a key, or something of a request, is lacking.
        OnlineError: the back end can't be used.
    """
    now_us = int(clock() * 1e6)
    found = [_Gathered() for _ in entities]
    is_single = len({selected.view.entity.keys for selected in service.selected}) == 1
    for selected in service.selected:
        view = selected.view
        keys = [_key(entity, view.entity, is_single=is_single) for entity in entities]
        rows = store.get(ViewKey(view.name, view.computation), keys)
        for gathered, key, row in zip(found, keys, rows, strict=True):
            gathered.take(selected, key, row, now_us)
    version = service.version
    for place, gathered in enumerate(found):
        for on_demand in service.on_demand:
            _compute(on_demand, service, gathered.features, requests[place] if requests else {})
    return [
        Online(each.features, each.statuses, Provenance(service.name, version, now_us, each.reads))
        for each in found
    ]


@dataclass(slots=True)
class _Gathered:
    """What is known of one entity so far."""

    features: dict[str, float | str | None] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    reads: dict[str, ViewRead] = field(default_factory=dict)

    def take(self, selected: Selected, key: str, row: OnlineRow | None, now_us: int) -> None:
        """Take what a view holds of it."""
        view = selected.view
        status = _row_status(row, view.ttl_us, now_us)
        if row is None or status != "present":
            self.reads[view.name] = ViewRead(view.version, view.computation, key, None)
            self.statuses.update(dict.fromkeys(selected.names, status))
            return
        self.reads[view.name] = ViewRead(view.version, view.computation, key, now_us - row.event_us)
        for name in selected.names:
            is_number, place = view.places[name]
            value = row.numbers[place] if is_number else row.texts[place]
            self.features[name] = value
            self.statuses[name] = "null" if value is None else "present"


def _compute(
    view: OnDemandView,
    service: FeatureService,
    features: dict[str, float | str | None],
    request: Mapping[str, Any],
) -> None:
    lacking = [name for name in view.request if name not in request]
    if lacking:
        raise SettingError(f"on-demand view {view.name} wants {lacking[0]!r} of the request; it is not there")
    read = {name: features.get(name) for each in service.selected for name in each.names}
    earlier = {name: value for name, value in features.items() if name not in read}
    row = {**read, **earlier, **{name: request[name] for name in view.request}}
    for name, value in view.compute(row).items():
        try:
            features[name] = number_value(value) if view.features[name] == "numeric" else text_value(value)
        except ValueRefusedError as error:
            raise SettingError(f"on-demand view {view.name}: {name}: {error}") from error


def _key(given: Any, entity: Entity, *, is_single: bool) -> str:
    """Return which entity is asked for, as text."""
    names = entity.keys
    if hasattr(given, "get"):
        values = [given.get(name) for name in names]
    elif not is_single:
        raise SettingError(f"{given!r}: the service has several entities; give a mapping, key by column")
    else:
        values = [given] if len(names) == 1 else list(given) if isinstance(given, (tuple, list)) else []
    if len(values) != len(names):
        raise SettingError(f"{given!r}: {entity.name} has the keys {', '.join(names)}; give all of them")
    parts = [text_value(value) or "" for value in values]
    for name, text in zip(names, parts, strict=True):
        if not text:
            raise SettingError(f"there is no key {name!r} of the entity")
    return entity.text_of(parts)


def _row_status(row: OnlineRow | None, ttl_us: int | None, now_us: int) -> Status:
    if row is None:
        return "missing"
    return "present" if ttl_us is None or row.event_us >= now_us - ttl_us else "expired"
