"""Definitions in the store: registered under their versions, and found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.errors import NotFoundError
from driftline.features.definitions import Definition, FeatureService, FeatureView
from driftline.features.documents import KIND_OF, read_document, write_document
from driftline.store.features import Registration, read_registrations, write_registrations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from driftline.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Registered:
    """A definition that is in the store.

    Args:
        definition: what it says; of its transform only the text is known.
        version: under which it stands.
        at: when it was registered first.
        by: who registered it first.
        versions: how many versions of this name there have been until then.
    """

    definition: Definition
    version: str
    at: datetime | None
    by: str
    versions: int


def register(
    connection: Connection, definitions: Iterable[Definition], *, author: str
) -> Sequence[Definition]:
    """Register definitions, and what services read, where they differ from what is in force; return those.

    Args:
        connection: to the store.
        definitions: what to register; doing it again changes nothing.
        author: who registers.

    Raises:
        StoreError: the store did not take them.
    """
    wanted: dict[tuple[str, str], Definition] = {}
    for definition in definitions:
        parts: Sequence[Definition] = ()
        if isinstance(definition, FeatureService):
            parts = [*(each.view for each in definition.selected), *definition.on_demand]
        for each in (*parts, definition):
            wanted[KIND_OF[type(each)], each.name] = each
    in_force = {(each.kind, each.name): each for each in read_registrations(connection)}
    new: list[Registration] = []
    changed: list[Definition] = []
    for (kind, name), definition in wanted.items():
        document, known = write_document(definition), in_force.get((kind, name))
        if known is not None and known.document == document:
            continue
        computation = definition.computation if isinstance(definition, FeatureView) else ""
        new.append(
            Registration(
                kind=kind,
                name=name,
                version=definition.version,
                computation=computation,
                document=document,
                registered_by=author,
            )
        )
        changed.append(definition)
    write_registrations(connection, new)
    return changed


def read_registered(connection: Connection, *, kind: str = "") -> Sequence[Registered]:
    """Return what is in force, of each name the newest, in the order of kinds and names."""
    newest: dict[tuple[str, str], list[Registration]] = {}
    for each in read_registrations(connection, kind=kind):
        newest.setdefault((each.kind, each.name), []).append(each)
    return [_registered(history) for history in newest.values()]


def find_service(connection: Connection, name: str, version: str = "") -> FeatureService:
    """Return a service as it was registered.

    Args:
        connection: to the store.
        name: the service's.
        version: this one; empty: what is in force.

    Raises:
        NotFoundError: there is none; the message says which there are.
    """
    found = _find(connection, "service", name, version)
    if not isinstance(found, FeatureService):  # pragma: no cover - its kind says so.
        raise NotFoundError(f"{name!r} is no feature service")
    return found


def find_view(connection: Connection, name: str, version: str = "") -> FeatureView:
    """Return a view as it was registered.

    Raises:
        NotFoundError: there is none; the message says which there are.
    """
    found = _find(connection, "view", name, version)
    if not isinstance(found, FeatureView):  # pragma: no cover - its kind says so.
        raise NotFoundError(f"{name!r} is no feature view")
    return found


def _find(connection: Connection, kind: str, name: str, version: str) -> Definition:
    history = read_registrations(connection, kind=kind)
    chosen = [each for each in history if each.name == name and version in {"", each.version}]
    if chosen:
        return read_document(kind, chosen[-1].document)
    names = ", ".join(dict.fromkeys(each.name for each in history)) or "none"
    of_version = f" of version {version}" if version else ""
    raise NotFoundError(
        f"no feature {kind} {name!r}{of_version} is registered; there are: {names}. "
        "`driftline features register FILE` registers what a file defines"
    )


def _registered(history: Sequence[Registration]) -> Registered:
    last = history[-1]
    first = next(each for each in history if each.version == last.version)
    versions = len({each.version for each in history})
    return Registered(
        read_document(last.kind, last.document),
        last.version,
        first.registered_at,
        first.registered_by,
        versions,
    )
