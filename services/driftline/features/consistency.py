"""How consistent logged features are with what was stored as of when they were read."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.features.compare import Pair, are_equal, summarize
from driftline.features.definitions import FeatureService, FeatureView
from driftline.features.documents import read_document
from driftline.features.online.provenance import read_provenance
from driftline.store.feature_events import count_events, read_histories, sample_events
from driftline.store.feature_join import read_as_of
from driftline.store.feature_values import Place
from driftline.store.features import read_registrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.features.compare import Consistency, Value
    from driftline.features.online.provenance import Provenance, ViewRead
    from driftline.store.connection import Connection
    from driftline.store.feature_events import FeatureEvent, Window
    from driftline.store.feature_values import FeatureRow

SAMPLE: Final = 2_000
"""So many events are compared."""

_HISTORY_ROWS = 1_000
_HISTORY_ENTITIES = 500
_SKEW_US = 60_000_000
"""A service's clock may be so far behind the store's: then it got what by its own time was not known yet."""


@dataclass(frozen=True, slots=True)
class Report:
    """Logged beside stored, in one window.

    Args:
        events: how many predictions the window has.
        with_provenance: how many of them say where their features came from.
        sampled: how many were looked at.
        unregistered: versions of views that predictions name and nobody registered, with how many do.
        features: of each feature of views how consistent it is, the worst first.
        services: versions of services by which features were read, with how many of the sample.
        own: views of which most predictions were made from the values of their own ``entity_id``.
    """

    events: int
    with_provenance: int
    sampled: int
    unregistered: Mapping[str, int]
    features: Sequence[Consistency]
    services: Mapping[str, int]
    own: frozenset[str] = frozenset()

    def of(self, feature: str) -> Consistency | None:
        """Return how consistent a feature is; None: nothing of it could be compared."""
        return next((each for each in self.features if each.feature == feature), None)


class _Read(NamedTuple):
    """One view's part in one prediction."""

    event: FeatureEvent
    provenance: Provenance
    read: ViewRead
    names: Sequence[str]


def compare_window(
    connection: Connection,
    window: Window,
    *,
    limit: int = SAMPLE,
    segment: str = "",
    own: frozenset[str] = frozenset(),
) -> Report:
    """Compare what predictions were logged with and what was stored when they were made.

    Args:
        connection: to the store.
        window: whose predictions, and of when.
        limit: compare at most so many predictions.
        segment: of this part of the traffic, ``key=value``; empty: of all of it.
        own: views that are about the predictions' own ``entity_id``, as was seen before, besides those of
            which that is seen here.

    Raises:
        StoreError: the store can't be asked.
    """
    events, known = count_events(connection, window)
    sample = sample_events(connection, window, limit=limit, segment=segment) if known else []
    registered = _registered_views(connection) if sample else {}
    asked = _registered_services(connection) if sample else {}
    reads: dict[tuple[str, str], list[_Read]] = defaultdict(list)
    unregistered: Counter[str] = Counter()
    services: Counter[str] = Counter()
    for event in sample:
        provenance = read_provenance(event.tags)
        if provenance is None:
            continue
        services[f"{provenance.service}@{provenance.version}"] += 1
        for name, read in provenance.views.items():
            if (name, read.version) in registered:
                names = asked.get((provenance.service, provenance.version), {}).get(name)
                if names is None:  # Nobody registered the service: what was logged shows what it takes.
                    names = [
                        each for each in registered[name, read.version].features if each in event.features
                    ]
                reads[name, read.version].append(_Read(event, provenance, read, names))
            else:
                unregistered[f"{name}@{read.version}"] += 1
    pairs: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    versions: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    own |= {name for (name, _), of_view in reads.items() if _are_own(of_view)}
    for (name, version), of_view in reads.items():
        for feature, pair in _pairs(connection, registered[name, version], of_view, is_own=name in own):
            pairs[name, feature].append(pair)
            versions[name, feature][version] = None
    found = [
        summarize(feature, view, list(versions[view, feature]), own) for (view, feature), own in pairs.items()
    ]
    found.sort(key=lambda each: (-each.share, each.feature))
    return Report(events, known, len(sample), dict(unregistered), found, dict(services), own)


def _are_own(reads: Sequence[_Read]) -> bool:
    """Return whether most predictions were made from the values of what they are about."""
    matching = sum(each.read.entity == each.event.entity_id for each in reads)
    return matching > len(reads) / 2


def _is_misread(view: FeatureView, each: _Read, *, is_own: bool) -> bool:
    """Return whether another entity was asked for than the prediction names: in features, tags or its id."""
    features, tags = each.event.features, each.event.tags
    parts = [part for key in view.entity.keys if isinstance(part := features.get(key, tags.get(key)), str)]
    if len(parts) == len(view.entity.keys):
        return view.entity.text_of(parts) != each.read.entity
    return is_own and each.event.entity_id not in {None, each.read.entity}


def _registered_views(connection: Connection) -> Mapping[tuple[str, str], FeatureView]:
    found = {}
    for each in read_registrations(connection, kind="view"):
        view = read_document("view", each.document)
        if isinstance(view, FeatureView):
            found[each.name, each.version] = view
    return found


def _registered_services(connection: Connection) -> Mapping[tuple[str, str], Mapping[str, Sequence[str]]]:
    """Return which features each version of a service takes of which view."""
    found = {}
    for each in read_registrations(connection, kind="service"):
        service = read_document("service", each.document)
        if isinstance(service, FeatureService):
            found[each.name, each.version] = {one.view.name: one.names for one in service.selected}
    return found


def _pairs(
    connection: Connection, view: FeatureView, reads: Sequence[_Read], *, is_own: bool
) -> Iterator[tuple[str, Pair]]:
    """Yield each value of a view that a prediction was made from, or should have been."""
    place = Place(view.name, view.computation)
    entities = [each.read.entity for each in reads]
    rows = read_as_of(connection, place, entities, [each.provenance.read_us for each in reads])
    earlier = _earlier(connection, view, reads, rows)
    for each, row in zip(reads, rows, strict=True):
        at = each.provenance.read_us
        is_expired = row is not None and view.ttl_us is not None and row.event_us < at - view.ttl_us
        served = _Served(view, each, row, earlier.get(each.read.entity, ()))
        is_misread = _is_misread(view, each, is_own=is_own)
        for feature in each.names:
            stored = None if row is None or is_expired else value_of(view, row, feature)
            logged = each.event.features.get(feature)
            pair = Pair(each.event.event_id, logged, stored, at, is_misread=is_misread)
            yield feature, pair if are_equal(logged, stored) else served.explain(feature, pair)


def value_of(view: FeatureView, row: FeatureRow, feature: str) -> Value:
    """Return a feature's value in a row."""
    is_number, place = view.places[feature]
    return row.numbers[place] if is_number else row.texts[place]


def _earlier(
    connection: Connection, view: FeatureView, reads: Sequence[_Read], rows: Sequence[FeatureRow | None]
) -> Mapping[str, Sequence[FeatureRow]]:
    """Return the histories of entities of which a prediction differs from what is stored."""
    entities: dict[str, None] = {}
    until = 0
    for each, row in zip(reads, rows, strict=True):
        served = None if each.read.age_us is None else each.provenance.read_us - each.read.age_us
        stored = None if row is None else row.event_us
        if served != stored or any(
            not are_equal(each.event.features.get(name), value_of(view, row, name) if row else None)
            for name in each.names
        ):
            entities[each.read.entity] = None
            until = max(until, each.provenance.read_us + _SKEW_US)
    chosen = list(entities)[:_HISTORY_ENTITIES]
    place = Place(view.name, view.computation)
    return read_histories(connection, place, chosen, until, limit=_HISTORY_ROWS) if chosen else {}


@dataclass(frozen=True, slots=True)
class _Served:
    """What was served of one view to one prediction.

    Args:
        view: the view.
        read: the prediction's part in it.
        row: what was the newest then; None: there was none.
        history: of the entity, as far as it is kept.
    """

    view: FeatureView
    read: _Read
    row: FeatureRow | None
    history: Sequence[FeatureRow]

    def explain(self, feature: str, pair: Pair) -> Pair:
        """Return a pair with what was served, where the provenance names a row that was not the newest."""
        age_us, at = self.read.read.age_us, pair.read_us
        known = [held for held in self.history if _begins(held) <= at]
        if age_us is None:
            return self._without_row(pair, known)
        changed = pair
        for held in self.history:
            if held.event_us != at - age_us:
                continue
            value = value_of(self.view, held, feature)
            if not are_equal(value, pair.logged):
                if held in known and held != self.row:  # Served as it was then, and changed behind that.
                    changed = replace(pair, served=value)
                continue
            if at < _begins(held) <= at + _SKEW_US:  # The service's clock was a little behind the store's.
                return replace(pair, stored=value)
            if held == self.row and pair.stored is None:  # The newest, though it had expired.
                return replace(pair, served=value, behind_us=max(0, age_us - (self.view.ttl_us or 0)))
            newer = [_begins(one) for one in known if _order(one) > _order(held)]
            if newer and held in known:
                return replace(pair, served=value, behind_us=at - min(newer))
        return changed

    def _without_row(self, pair: Pair, known: Sequence[FeatureRow]) -> Pair:
        """Return a pair of which nothing was online: late since the first row that it should have been."""
        ttl_us = self.view.ttl_us
        valid = [held for held in known if ttl_us is None or held.event_us >= pair.read_us - ttl_us]
        first = min((_begins(held) for held in valid), default=None)
        return pair if first is None else replace(pair, served=None, behind_us=pair.read_us - first)


def _begins(row: FeatureRow) -> int:
    """Return from when on a row could be read, microseconds since 1970."""
    return max(row.event_us, row.available_us)


def _order(row: FeatureRow) -> tuple[int, int]:
    return row.event_us, row.arrival
