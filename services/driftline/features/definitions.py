"""Features as code: what each is about, where its values come from, and how long they hold.

A definition's version is a hash of all that decides which value is read: names, kinds, the transform's source
and the ttl. Who owns it and its tags are not among them. Nothing here needs more than the base install, so a
service imports the definitions that training was done with.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard

from driftline.errors import SettingError
from driftline.features.transforms import Transform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Kind = Literal["numeric", "categorical"]
KINDS: Final[tuple[Kind, ...]] = ("numeric", "categorical")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}\Z")
_VERSION_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Entity:
    """What features are about: a plane, a customer, or a customer at a merchant.

    Args:
        name: identifies it.
        key: the column that holds which one, or several columns that do together; the name unless given.
        description: for people.

    Raises:
        SettingError: the name is none, or a column is named twice.
    """

    name: str
    key: str | tuple[str, ...] = ""
    description: str = ""

    def __post_init__(self) -> None:
        _check_name("entity", self.name)
        key = self.key if isinstance(self.key, str) else tuple(self.key)
        if isinstance(key, tuple) and len(set(key)) < len(key):
            raise SettingError(f"entity {self.name}: a column is named twice in {', '.join(key)}")
        if isinstance(key, tuple) and len(key) == 1:
            (key,) = key
        object.__setattr__(self, "key", key or self.name)

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that hold which one."""
        return (self.key,) if isinstance(self.key, str) else self.key

    def text_of(self, parts: Sequence[str]) -> str:
        """Return which one it is, as one text: of one key itself, of several as JSON.

        Args:
            parts: the keys as texts, in their order; empty: there is none.

        Returns:
            An empty text where one of them is lacking.
        """
        if not all(parts):
            return ""
        return parts[0] if len(parts) == 1 else json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a view's rows are read from when it is backfilled. Rows may be pushed besides.

    One of the last two says when a row could be known: a source that says neither has no history to train on.

    Args:
        path: of a Parquet file, or of a folder of them; or else
        table: of the store, as ``database.table`` or ``table``.
        event_time: the column that says when the values came true.
        available_time: the column that says from when on they could be known.
        delay: or how long after the event time that was.
    """

    path: str = ""
    table: str = ""
    event_time: str = "event_time"
    available_time: str = ""
    delay: timedelta | None = None

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.table):
            raise SettingError("source: give either path, of Parquet, or table, of the store")
        if bool(self.available_time) == (self.delay is not None):
            raise SettingError(
                "source: say when its rows could be known, or training would see the future: either "
                "available_time, a column, or delay, how long after the event time"
            )


@dataclass(frozen=True)
class FeatureView:
    """Features of one entity whose values come together, as one row.

    Args:
        name: identifies it.
        entity: what they are about.
        features: their kinds by name: numeric or categorical.
        ttl: how old a value may be, by its event time, when it is read; None: it never expires.
        source: where rows are read from; None: they are only pushed.
        transform: a function that makes the features of one row of the source; None: they are its columns.
        owner: who answers for it.
        tags: texts by name, for people.
        description: for people.

    Raises:
        SettingError: a name, a kind or the ttl is wrong, or the transform's source can't be read.
    """

    name: str
    entity: Entity
    features: Mapping[str, Kind]
    ttl: timedelta | None = None
    source: Source | None = None
    transform: Transform | Callable[[dict[str, Any]], Mapping[str, Any]] | None = None
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""

    def __post_init__(self) -> None:
        _check_name("feature view", self.name)
        _check_features(self.name, self.features)
        if self.ttl is not None and self.ttl <= timedelta(0):
            raise SettingError(f"feature view {self.name}: a ttl of {self.ttl} would expire every value")
        if self.transform is not None:
            object.__setattr__(self, "transform", Transform.of(self.transform))

    def __getitem__(self, names: str | tuple[str, ...]) -> Selected:
        """Return some of its features, for a service."""
        return Selected(self, (names,) if isinstance(names, str) else names)

    @cached_property
    def computation(self) -> str:
        """Hash of what its values are made by: rows of different computations are never mixed."""
        made = {
            "entity": [self.entity.name, self.entity.key],
            "features": [[name, kind] for name, kind in self.features.items()],
            "transform": None if self.transform is None else Transform.of(self.transform).source,
        }
        return _digest([self.name, made])

    @cached_property
    def version(self) -> str:
        """Hash of all that decides which value is read."""
        return _digest([self.computation, None if self.ttl is None else self.ttl.total_seconds()])

    @cached_property
    def ttl_us(self) -> int | None:
        """The ttl in microseconds."""
        return None if self.ttl is None else self.ttl // timedelta(microseconds=1)

    @cached_property
    def places(self) -> Mapping[str, tuple[bool, int]]:
        """Where each feature stands in a row: whether among the numbers, and where there."""
        numbers = {name: (True, place) for place, name in enumerate(self.numbers)}
        return numbers | {name: (False, place) for place, name in enumerate(self.texts)}

    @property
    def numbers(self) -> Sequence[str]:
        """The numeric features, in the order of their places in a row."""
        return [name for name, kind in self.features.items() if kind == "numeric"]

    @property
    def texts(self) -> Sequence[str]:
        """The categorical features, in the order of their places in a row."""
        return [name for name, kind in self.features.items() if kind == "categorical"]


@dataclass(frozen=True, slots=True)
class Selected:
    """Some features of a view.

    Raises:
        SettingError: the view has no such feature.
    """

    view: FeatureView
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in self.view.features:
                has = ", ".join(self.view.features)
                raise SettingError(f"feature view {self.view.name} has no feature {name!r}; it has: {has}")


@dataclass(frozen=True)
class OnDemandView:
    """Features that are computed when they are asked for, of other features and of what the request brings.

    Args:
        name: identifies it.
        features: their kinds by name.
        transform: a function of one row, which holds the service's features of views and what the request
            brings, by name; a value that is null or missing is None.
        request: what the request has to bring.
        owner: who answers for it.
        tags: texts by name, for people.

    Raises:
        SettingError: a name or a kind is wrong, or the transform's source can't be read.
    """

    name: str
    features: Mapping[str, Kind]
    transform: Transform | Callable[[dict[str, Any]], Mapping[str, Any]]
    request: tuple[str, ...] = ()
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_name("on-demand view", self.name)
        _check_features(self.name, self.features)
        object.__setattr__(self, "transform", Transform.of(self.transform))
        object.__setattr__(self, "request", tuple(self.request))

    @cached_property
    def version(self) -> str:
        """Hash of all that decides what is computed."""
        features = [[name, kind] for name, kind in self.features.items()]
        return _digest([self.name, features, Transform.of(self.transform).source, list(self.request)])

    def compute(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of one row.

        Raises:
            SettingError: the transform leaves out a feature.
        """
        made = Transform.of(self.transform)(row)
        lacking = [name for name in self.features if name not in made]
        if lacking:
            raise SettingError(f"on-demand view {self.name}: the transform returns no {lacking[0]!r}")
        return {name: made[name] for name in self.features}


@dataclass(frozen=True)
class FeatureService:
    """The features of one model.

    Args:
        name: identifies it.
        features: views, or some of their features (``view["seats", "engine"]``), and on-demand views.
        model: the model that takes them.
        owner: who answers for it.

    Raises:
        SettingError: a name is wrong, or two features have the same one.
    """

    name: str
    features: Sequence[FeatureView | Selected | OnDemandView]
    model: str = ""
    owner: str = ""

    def __post_init__(self) -> None:
        _check_name("feature service", self.name)
        given: dict[str, str] = {}
        for part in self.features:
            names = part.names if isinstance(part, Selected) else tuple(part.features)
            whose = part.view.name if isinstance(part, Selected) else part.name
            for name in names:
                if name in given:
                    raise SettingError(
                        f"feature service {self.name}: {given[name]} and {whose} both have a feature "
                        f"{name!r}; name those that you need, as in view['seats'], or rename one"
                    )
                given[name] = whose

    @cached_property
    def selected(self) -> Sequence[Selected]:
        """What is read of views."""
        return [
            part if isinstance(part, Selected) else Selected(part, tuple(part.features))
            for part in self.features
            if not isinstance(part, OnDemandView)
        ]

    @cached_property
    def on_demand(self) -> Sequence[OnDemandView]:
        """What is computed when it is asked for, in this order."""
        return [part for part in self.features if isinstance(part, OnDemandView)]

    @cached_property
    def names(self) -> Sequence[str]:
        """The features, in the order in which they were given."""
        return [
            name
            for part in self.features
            for name in (part.names if isinstance(part, Selected) else part.features)
        ]

    @cached_property
    def version(self) -> str:
        """Hash of all that decides which values a model gets."""
        read = [[each.view.name, each.view.version, list(each.names)] for each in self.selected]
        computed = [[view.name, view.version] for view in self.on_demand]
        return _digest([self.name, read, computed])


Definition = FeatureView | OnDemandView | FeatureService


def kind_of(name: str, kind: str) -> Kind:
    """Return a feature's kind.

    Raises:
        SettingError: it is none.
    """
    if not _is_kind(kind):
        raise SettingError(f"feature {name!r}: {kind!r} is no kind; there are numeric and categorical")
    return kind


def _is_kind(kind: str) -> TypeGuard[Kind]:
    return kind in KINDS


def _check_features(owner: str, features: Mapping[str, Kind]) -> None:
    if not features:
        raise SettingError(f"{owner}: there is no feature in it")
    for name, kind in features.items():
        _check_name("feature", name)
        kind_of(name, kind)


def _check_name(what: str, name: str) -> None:
    if not _NAME.match(name):
        raise SettingError(
            f"{what}: {name!r} is no name; it takes letters, digits and . - _, and "
            "does not begin with a digit"
        )


def _digest(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_VERSION_DIGITS]
