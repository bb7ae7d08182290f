"""What is registered, who uses it, and how fresh it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.errors import NotFoundError
from driftline.features.definitions import FeatureService, FeatureView, OnDemandView
from driftline.features.documents import KIND_OF
from driftline.features.registering import read_registered
from driftline.features.transforms import Transform
from driftline.store.feature_values import read_freshness
from driftline.store.features import read_registrations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.features.registering import Registered
    from driftline.store.connection import Connection
    from driftline.store.feature_values import Freshness, Place
    from driftline.store.features import Registration


@dataclass(frozen=True, slots=True)
class Listed:
    """A definition, with who uses it and how fresh it is.

    Args:
        registered: as it is in force.
        used_by: services and models that use a view; the model of a service.
        freshness: what the history of a view holds; None: nothing, or it is no view.
        age_s: how old the newest value of a view is, seconds; None: there is none.
        versions: all registrations of the name, the newest first; only where one is shown.
    """

    registered: Registered
    used_by: Sequence[str]
    freshness: Freshness | None
    age_s: float | None
    versions: Sequence[Registration] = ()

    @property
    def ttl_s(self) -> float | None:
        """How old a value may be when it is read, seconds; None: of any age."""
        view = self.registered.definition
        return view.ttl.total_seconds() if isinstance(view, FeatureView) and view.ttl else None

    @property
    def is_expired(self) -> bool:
        """Whether no value of a view can be read any more, or none ever could."""
        if not isinstance(self.registered.definition, FeatureView):
            return False
        return self.age_s is None or (self.ttl_s is not None and self.age_s > self.ttl_s)

    def row(self) -> dict[str, Any]:
        """Return it as a record for programs."""
        one, held = self.registered.definition, self.freshness
        transform = None if isinstance(one, FeatureService) else one.transform
        features = list(one.names) if isinstance(one, FeatureService) else dict(one.features)
        return {
            "kind": KIND_OF[type(one)],
            "name": one.name,
            "version": self.registered.version,
            "registered_at": self.registered.at,
            "registered_by": self.registered.by,
            "features": features,
            "ttl": str(one.ttl) if isinstance(one, FeatureView) and one.ttl else None,
            "age": None if self.age_s is None else round(self.age_s, 3),
            "is_expired": self.is_expired,
            "rows": held.rows if held else 0,
            "entities": held.entities if held else 0,
            "entity": one.entity.name if isinstance(one, FeatureView) else None,
            "owner": one.owner,
            "tags": {} if isinstance(one, FeatureService) else dict(one.tags),
            "model": one.model if isinstance(one, FeatureService) else None,
            "used_by": list(self.used_by),
            "transform": None if transform is None else Transform.of(transform).source,
            "versions": [
                {
                    "version": each.version,
                    "registered_at": each.registered_at,
                    "registered_by": each.registered_by,
                }
                for each in self.versions
            ],
        }


def list_features(connection: Connection, *, now_s: float) -> Sequence[Listed]:
    """Return everything that is registered, views first, in the order of names.

    Args:
        connection: to the store.
        now_s: the time now, seconds since 1970.
    """
    registered = read_registered(connection)
    held = {each.place: each for each in read_freshness(connection)} if registered else {}
    users = _users(registered)
    found = [_listed(each, users, held, now_s) for each in registered]
    order = {"view": 0, "on_demand": 1, "service": 2}
    return sorted(found, key=lambda each: order[KIND_OF[type(each.registered.definition)]])


def show_feature(connection: Connection, name: str, *, now_s: float) -> Listed:
    """Return a view or a service with all of its versions; of a name that both have, the view.

    Raises:
        NotFoundError: nothing of this name is registered.
    """
    found = list_features(connection, now_s=now_s)
    for each in found:
        if each.registered.definition.name == name:
            kind = KIND_OF[type(each.registered.definition)]
            versions = list(reversed(read_registrations(connection, kind=kind, name=name)))
            return Listed(each.registered, each.used_by, each.freshness, each.age_s, versions)
    names = ", ".join(each.registered.definition.name for each in found) or "none"
    raise NotFoundError(f"no feature view or service {name!r} is registered; there are: {names}")


def _users(registered: Sequence[Registered]) -> Mapping[str, Sequence[str]]:
    """Return the services, with their models, that use each view or on-demand view."""
    users: dict[str, list[str]] = {}
    for each in registered:
        service = each.definition
        if not isinstance(service, FeatureService):
            continue
        title = f"{service.name} ({service.model})" if service.model else service.name
        names = [one.view.name for one in service.selected] + [one.name for one in service.on_demand]
        for name in names:
            users.setdefault(name, []).append(title)
    return users


def _listed(
    each: Registered,
    users: Mapping[str, Sequence[str]],
    held: Mapping[Place, Freshness],
    now_s: float,
) -> Listed:
    one = each.definition
    if isinstance(one, FeatureService):
        return Listed(each, [one.model] if one.model else [], None, None)
    if isinstance(one, OnDemandView):
        return Listed(each, users.get(one.name, ()), None, None)
    freshness = next((own for place, own in held.items() if place == (one.name, one.computation)), None)
    newest = freshness.newest_true_us if freshness else 0
    age = now_s - newest / 1e6 if newest else None
    return Listed(each, users.get(one.name, ()), freshness, age)
