"""What is monitored of each model, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from driftline.domain.calendars import PlannedEvent
from driftline.domain.names import COMPUTE, CONFIDENCE, ENTROPY, LATENCY, feature_of
from driftline.monitors.values import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")
"""The settings of a judge. Monitors fill them in and need not know them: drift stands above."""


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FeatureMonitor:
    """What holds for one feature.

    Args:
        warn_only: its drift never pages. None: not set; see `WARNS_BY_ITSELF`.
        kind: `numeric` or `categorical`, whatever it was logged as; empty: as it was logged.
        rules: what replaces the learned rules for invalid values, by `minimum`, `maximum`, `allowed` (a tuple
            of texts), `may_be_missing`, `may_be_absent` and `may_be_not_finite`; only those that the file
            sets, and of these None switches one off. None instead of rules switches all of them off.
    """

    warn_only: bool | None = None
    rules: Mapping[str, Any] | None = field(default_factory=_nothing)
    kind: str = ""


WARNS_BY_ITSELF = frozenset({LATENCY, COMPUTE, CONFIDENCE, ENTROPY})
"""Drift of these only warns, unless the file says otherwise.

How long an answer takes is the service's matter, and has alerts of its own there; confidence moves with the
probabilities, which page.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMonitor(Generic[S]):
    """What holds for one model.

    Args:
        settings: how it is judged.
        enabled: whether it is judged at all.
        warn_only: nothing of it pages.
        joint: `warn`: its features are also checked together, which only warns; `off`: not.
        segment_keys: tags and categorical features of which each frequent value is a segment.
        segments: segments named in full, `key=value`.
        ignored_features: features that are not judged; names, or patterns with ``*``.
        features: by name, or by pattern with ``*``; of patterns, the first that matches counts.
        events: what is planned: begins and ends, UTC, by name.
        retrain: when it may be trained again by itself: what the file sets, by key; docs/lifecycle.md.
        business_value: what its answers are worth: what the file sets, by key; none: nothing is set.
        labels: for routing its alerts.
        lines: where the file sets what: line by key, such as `features.dep_delay.minimum`. What is not set
            has its default and is not named here.
    """

    settings: S
    enabled: bool = True
    warn_only: bool = False
    joint: Literal["warn", "off"] = "warn"
    segment_keys: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    ignored_features: tuple[str, ...] = ()
    features: Mapping[str, FeatureMonitor] = field(default_factory=_nothing)
    events: Mapping[str, tuple[tuple[datetime, datetime], ...]] = field(default_factory=_nothing)
    retrain: Mapping[str, Any] = field(default_factory=_nothing)
    business_value: Mapping[str, Any] = field(default_factory=_nothing)
    labels: Mapping[str, str] = field(default_factory=_nothing)
    lines: Mapping[str, int] = field(default_factory=_nothing)

    @property
    def planned(self) -> tuple[PlannedEvent, ...]:
        """The planned events."""
        return tuple(PlannedEvent(name, *times) for name, several in self.events.items() for times in several)

    def ignores(self, feature: str) -> bool:
        """Return whether a feature is not to be judged."""
        return any(matches(pattern, feature) for pattern in self.ignored_features)

    def feature(self, name: str) -> FeatureMonitor:
        """Return what holds for a feature: what is set under its name, else of the first pattern of it."""
        return best_match(self.features, name) or FeatureMonitor()

    def may_page(self, feature: str) -> bool:
        """Return whether drift of a feature may page."""
        own = self.feature(feature).warn_only
        warns = feature in WARNS_BY_ITSELF if own is None else own
        return not (self.warn_only or self.ignores(feature) or warns)

    def rules(self, features: Iterable[str]) -> Mapping[str, Mapping[str, Any] | None]:
        """Return the rules for invalid values that replace the learned ones.

        Args:
            features: those that the model is known to have; patterns are looked up among them.

        Returns:
            Rules as in `FeatureMonitor`, by feature; features without any are left out. A feature named in
            full is there even where it is not known.
        """
        names = [*(name for name in self.features if "*" not in name), *features]
        rules = {name: self.feature(name).rules for name in names}
        return {name: own for name, own in rules.items() if own is None or own}

    def kinds(self, features: Iterable[str]) -> Mapping[str, str]:
        """Return of what kind features are that say so, by their own names.

        Args:
            features: keys of those that the model is known to have, as in `rules`.
        """
        keys = [*(name for name in self.features if "*" not in name), *features]
        kinds = {feature_of(key): self.feature(key).kind for key in keys}
        return {name: kind for name, kind in kinds.items() if name is not None and kind}


T = TypeVar("T")


def best_match(entries: Mapping[str, T], name: str) -> T | None:
    """Return the entry under a name, else under the first pattern that matches it, else None."""
    if name in entries and "*" not in name:
        return entries[name]
    return next((entry for pattern, entry in entries.items() if matches(pattern, name)), None)


@dataclass(frozen=True, slots=True)
class Monitors(Generic[S]):
    """What is monitored, and how, for every model.

    Args:
        others: what holds for a model without an entry.
        entries: by name of the model, or by pattern with ``*``, in the order of the file. Each is complete:
            the defaults are in it.
    """

    others: ModelMonitor[S]
    entries: Mapping[str, ModelMonitor[S]] = field(default_factory=_nothing)

    @classmethod
    def default(cls, settings: S) -> Monitors[S]:
        """Return what holds without a file: every model is judged by the same settings."""
        return cls(ModelMonitor(settings=settings))

    def of(self, model_name: str) -> ModelMonitor[S]:
        """Return what holds for a model: its own entry, else that of the first pattern, else the defaults."""
        return best_match(self.entries, model_name) or self.others

    def settings_of(self, model_name: str) -> S:
        """Return how a model is judged."""
        return self.of(model_name).settings
