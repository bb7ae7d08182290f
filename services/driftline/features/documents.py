"""Definitions as JSON documents: how the store keeps them, and back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from driftline.features.definitions import (
    Definition,
    Entity,
    FeatureService,
    FeatureView,
    OnDemandView,
    Selected,
    Source,
)
from driftline.features.transforms import Transform

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND_OF = {FeatureView: "view", OnDemandView: "on_demand", FeatureService: "service"}


def write_document(definition: Definition) -> str:
    """Return a definition as JSON; that of a service holds the definitions that it reads."""
    return json.dumps(_document(definition), ensure_ascii=False, separators=(",", ":"))


def read_document(kind: str, text: str) -> Definition:
    """Return a definition from JSON. Of a transform only its text is known then."""
    document = json.loads(text)
    if kind == "view":
        return _view(document)
    if kind == "on_demand":
        return _on_demand(document)
    parts = [
        _on_demand(part["on_demand"])
        if "on_demand" in part
        else Selected(_view(part["view"]), tuple(part["names"]))
        for part in document["features"]
    ]
    return FeatureService(document["name"], parts, document["model"], document["owner"])


def _document(definition: Definition) -> dict[str, Any]:
    if isinstance(definition, FeatureView):
        return _view_document(definition)
    if isinstance(definition, OnDemandView):
        return {
            "name": definition.name,
            "features": dict(definition.features),
            "transform": Transform.of(definition.transform).source,
            "request": list(definition.request),
            "owner": definition.owner,
            "tags": dict(definition.tags),
        }
    parts = [_part_document(part) for part in definition.features]
    return {
        "name": definition.name,
        "model": definition.model,
        "owner": definition.owner,
        "features": parts,
    }


def _part_document(part: FeatureView | Selected | OnDemandView) -> dict[str, Any]:
    if isinstance(part, OnDemandView):
        return {"on_demand": _document(part)}
    selected = part if isinstance(part, Selected) else Selected(part, tuple(part.features))
    return {"view": _view_document(selected.view), "names": list(selected.names)}


def _view_document(view: FeatureView) -> dict[str, Any]:
    source = view.source
    return {
        "name": view.name,
        "entity": {
            "name": view.entity.name,
            "key": view.entity.key,
            "description": view.entity.description,
        },
        "features": dict(view.features),
        "ttl_s": None if view.ttl is None else view.ttl.total_seconds(),
        "source": None
        if source is None
        else {
            "path": source.path,
            "table": source.table,
            "event_time": source.event_time,
            "available_time": source.available_time,
            "delay_s": None if source.delay is None else source.delay.total_seconds(),
        },
        "transform": None if view.transform is None else Transform.of(view.transform).source,
        "owner": view.owner,
        "tags": dict(view.tags),
        "description": view.description,
    }


def _view(document: Mapping[str, Any]) -> FeatureView:
    source, ttl = document["source"], document["ttl_s"]
    return FeatureView(
        name=document["name"],
        entity=Entity(**document["entity"]),
        features=document["features"],
        ttl=None if ttl is None else timedelta(seconds=ttl),
        source=None
        if source is None
        else Source(
            path=source["path"],
            table=source["table"],
            event_time=source["event_time"],
            available_time=source["available_time"],
            delay=None if source["delay_s"] is None else timedelta(seconds=source["delay_s"]),
        ),
        transform=None if document["transform"] is None else Transform(document["transform"], None),
        owner=document["owner"],
        tags=document["tags"],
        description=document["description"],
    )


def _on_demand(document: Mapping[str, Any]) -> OnDemandView:
    return OnDemandView(
        name=document["name"],
        features=document["features"],
        transform=Transform(document["transform"], None),
        request=tuple(document["request"]),
        owner=document["owner"],
        tags=document["tags"],
    )
