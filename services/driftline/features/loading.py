"""Definitions out of a file of Python."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.errors import NotFoundError, SettingError
from driftline.features.definitions import FeatureService, FeatureView, OnDemandView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from driftline.features.definitions import Definition


@dataclass(frozen=True, slots=True)
class Definitions:
    """What a file defines.

    Args:
        path: the file.
        views: by name, those that services read among them.
        on_demand: by name, likewise.
        services: by name.
    """

    path: Path
    views: Mapping[str, FeatureView]
    on_demand: Mapping[str, OnDemandView]
    services: Mapping[str, FeatureService]

    @property
    def all(self) -> Sequence[Definition]:
        """All of them, what services read before the services."""
        return [*self.views.values(), *self.on_demand.values(), *self.services.values()]

    def service(self, name: str) -> FeatureService:
        """Return a service.

        Raises:
            NotFoundError: the file has none of this name.
        """
        if name not in self.services:
            has = ", ".join(self.services) or "none"
            raise NotFoundError(f"{self.path} defines no feature service {name!r}; it has: {has}")
        return self.services[name]

    def view(self, name: str) -> FeatureView:
        """Return a view.

        Raises:
            NotFoundError: the file has none of this name.
        """
        if name not in self.views:
            has = ", ".join(self.views) or "none"
            raise NotFoundError(f"{self.path} defines no feature view {name!r}; it has: {has}")
        return self.views[name]


def load_definitions(path: Path) -> Definitions:
    """Return what a file of Python defines at its top level. The file is run; so trust whoever wrote it.

    Raises:
        SettingError: the file can't be run, two definitions have one name, or there are none.
        OSError: it can't be read.
    """
    name = f"driftline_definitions_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SettingError(f"{path} is no file of Python; its name ends in .py")
    path.open("rb").close()
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SettingError(f"{path} can't be run: {type(error).__name__}: {error}") from error
    found: dict[str, dict[str, Definition]] = {"view": {}, "on_demand": {}, "service": {}}
    for value in vars(module).values():
        if isinstance(value, FeatureService):
            parts: Sequence[Definition] = [*(one.view for one in value.selected), *value.on_demand, value]
        elif isinstance(value, (FeatureView, OnDemandView)):
            parts = [value]
        else:
            continue
        for each in parts:
            _add(found, each, path)
    if not any(found.values()):
        raise SettingError(f"{path} defines no feature view and no feature service")
    return Definitions(
        path,
        {key: each for key, each in found["view"].items() if isinstance(each, FeatureView)},
        {key: each for key, each in found["on_demand"].items() if isinstance(each, OnDemandView)},
        {key: each for key, each in found["service"].items() if isinstance(each, FeatureService)},
    )


def _add(found: dict[str, dict[str, Definition]], one: Definition, path: Path) -> None:
    kinds = {FeatureView: "view", OnDemandView: "on_demand", FeatureService: "service"}
    held = found[kinds[type(one)]]
    if held.get(one.name, one) != one:
        raise SettingError(f"{path}: two different definitions are called {one.name!r}")
    held[one.name] = one
