"""What a Feast repository defines, as driftline's definitions; what has no counterpart is named."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from driftline.features.feast.syntax import Call, Item, Name, Repository, read_repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_NUMERIC = frozenset(
    "Float32 Float64 Int32 Int64 Bool UnixTimestamp FLOAT DOUBLE INT32 INT64 BOOL UNIX_TIMESTAMP".split()
)
_CATEGORICAL = frozenset("String STRING Uuid UUID".split())
_VIEWS = ("FeatureView", "BatchFeatureView", "StreamFeatureView")


@dataclass
class Imported:
    """What was read, as lines of Python, and what was left out.

    Args:
        entities: name of the variable, and arguments as Python.
        views: likewise.
        on_demand: likewise, with the function's text.
        services: likewise.
        left_out: what has no counterpart, with where it stands and what to do.
        notes: what is assumed, and worth a look.
    """

    entities: dict[str, str] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    on_demand: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self, folder: str) -> str:
        """Return the file of definitions."""
        kinds = ["Entity"] * bool(self.entities) + ["FeatureService"] * bool(self.services)
        kinds += ["FeatureView"] * bool(self.views) + ["OnDemandView"] * bool(self.on_demand)
        body = [*self.entities.values(), *self.views.values(), *self.on_demand.values()]
        body += self.services.values()
        names = ["Source"] if any("Source(" in each for each in body) else []
        head = [
            f'"""Features as {folder} defined them for Feast."""',
            "",
            "from datetime import timedelta",
            "",
        ]
        if not any("timedelta(" in each for each in body):
            head = [head[0], ""]
        head.append(f"from driftline.features import {', '.join(sorted([*kinds, *names]))}")
        remarks = [f"# Left out: {each}" for each in self.left_out] + [f"# {each}" for each in self.notes]
        parts = ["\n".join(head), *(["\n".join(remarks)] if remarks else []), *body]
        return "\n\n".join(parts) + "\n"


def import_feast(folder: Path) -> Imported:
    """Read what a Feast repository defines.

    Raises:
        SettingError: there is no file of Python in the folder, or one is no Python.
        OSError: one can't be read.
    """
    return _Import(read_repository(folder)).run()


class _Import:
    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._found = Imported()
        self._taken: dict[str, str] = {}  # Variables of Feast's views that were taken, with their names here.
        self._joined: dict[str, str] = {}  # Entities by their names in Feast, with their variables here.
        self._keys: dict[str, tuple[str, ...]] = {}  # Of each of these variables.

    def run(self) -> Imported:
        for name, call in self._repository.calls("Entity"):
            self._entity(name, call)
        for name, call in self._repository.calls(*_VIEWS):
            self._view(name, call)
        for function in self._repository.functions:
            if function.decorator.function == "on_demand_feature_view":
                self._on_demand(function.name, function.decorator, function.source)
        for name, call in self._repository.calls("FeatureService"):
            self._service(name, call)
        return self._found

    def _leave_out(self, call: Call, what: str, why: str) -> None:
        self._found.left_out.append(f"{what} ({call.where}): {why}")

    def _argument(self, call: Call, *names: str) -> Any:
        return self._repository.resolve(call.get(*names))

    def _entity(self, variable: str, call: Call) -> None:
        name = self._argument(call, "name") or next(iter(call.positional), variable)
        keys = self._argument(call, "join_keys", "join_key")
        keys = keys if isinstance(keys, list) else [keys or name]
        arguments = {"key": keys[0] if len(keys) == 1 else tuple(keys)} if keys != [name] else {}
        if description := self._argument(call, "description"):
            arguments["description"] = description
        self._joined[name] = self._joined[variable] = variable
        self._keys[variable] = tuple(keys)
        self._found.entities[variable] = f"{variable} = Entity({_joined([repr(name), *_named(arguments)])})"

    def _entity_of(self, variables: Sequence[str]) -> str:
        """Return an entity as Python: of several, one with the keys of all."""
        if len(variables) == 1:
            return variables[0]
        keys = tuple(dict.fromkeys(key for each in variables for key in self._keys[each]))
        return f"Entity({'_'.join(variables)!r}, key={keys!r})"

    def _view(self, variable: str, call: Call) -> None:
        name = self._argument(call, "name") or next(iter(call.positional), variable)
        entities = self._argument(call, "entities") or []
        named = [each.name if isinstance(each, Name) else str(each) for each in entities]
        if not named:
            self._leave_out(call, f"view {name}", "it has no entity, and here a view has one")
            return
        if lacking := [each for each in named if each not in self._joined]:
            self._leave_out(call, f"view {name}", f"its entity {lacking[0]} is not defined here")
            return
        features = self._features(call, f"view {name}", self._argument(call, "schema", "features") or [])
        if not features:
            self._leave_out(call, f"view {name}", "its schema names no feature; name them")
            return
        arguments = {
            "features": features,
            "ttl": _Code(_duration(self._argument(call, "ttl"))),
            "source": _Code(self._source(call, name)),
            "owner": self._argument(call, "owner"),
            "tags": self._argument(call, "tags"),
            "description": self._argument(call, "description"),
        }
        given = {key: value for key, value in arguments.items() if value and str(value) != "None"}
        parts = [repr(name), self._entity_of([self._joined[each] for each in named]), *_named(given)]
        self._taken[variable] = variable
        self._found.views[variable] = f"{variable} = FeatureView({_joined(parts)})"

    def _features(self, call: Call, what: str, fields: Sequence[Any]) -> Mapping[str, str]:
        features = {}
        for each in fields:
            if not isinstance(each, Call):
                continue
            name = self._argument(each, "name") or next(iter(each.positional), "?")
            kind = self._argument(each, "dtype", "value_type") or next(iter(each.positional[1:]), None)
            kind = kind.name if isinstance(kind, Name) else getattr(kind, "function", "?")
            if kind in _NUMERIC | _CATEGORICAL:
                features[str(name)] = "numeric" if kind in _NUMERIC else "categorical"
            else:
                why = f"{kind} is neither a number nor a text"
                self._leave_out(each if each.where else call, f"feature {name} of {what}", why)
        return features

    def _source(self, call: Call, view: str) -> str:
        source = self._argument(call, "source", "batch_source")
        while isinstance(source, Call) and source.function in {"PushSource", "KafkaSource", "KinesisSource"}:
            source = self._argument(source, "batch_source")
        if not isinstance(source, Call):
            return "None"
        path = self._argument(source, "path", "file_url")
        if not path or "://" in path:
            of = f"{source.function} {self._argument(source, 'name', 'table', 'path') or ''}".strip()
            self._found.notes.append(f"View {view} read {of}: push its rows, or copy them to Parquet.")
            return "None"
        field_ = self._argument(source, "timestamp_field", "event_timestamp_column") or "event_timestamp"
        created = self._argument(source, "created_timestamp_column")
        if created:
            known = f"available_time={created!r}"
        else:
            known = "delay=timedelta(0)"
            self._found.notes.append(
                f"View {view} had one clock: its values are taken to be known at once. Say how late they are."
            )
        return f"Source(path={path!r}, event_time={field_!r}, {known})"

    def _on_demand(self, name: str, call: Call, source: str) -> None:
        if self._argument(call, "mode") != "python" or self._argument(call, "singleton") is not True:
            why = "its function takes a table; write it for one row (mode='python', singleton=True)"
            self._leave_out(call, f"on-demand view {name}", why)
            return
        features = self._features(call, f"on-demand view {name}", self._argument(call, "schema") or [])
        request = [
            str(self._argument(each, "name"))
            for one in self._argument(call, "sources") or []
            for wanted in (self._repository.resolve(one),)
            if isinstance(wanted, Call) and wanted.function == "RequestSource"
            for each in self._argument(wanted, "schema") or []
            if isinstance(each, Call)
        ]
        function = f"_{name}"
        body = re.sub(rf"\bdef {name}\b", f"def {function}", source, count=1)
        parts = [
            repr(name),
            repr(features),
            function,
            *(["request=" + repr(tuple(request))] if request else []),
        ]
        self._taken[name] = name
        self._found.on_demand[name] = f"\n{body}\n\n\n{name} = OnDemandView({_joined(parts)})"

    def _service(self, variable: str, call: Call) -> None:
        name = self._argument(call, "name") or next(iter(call.positional), variable)
        parts = []
        for each in self._argument(call, "features") or []:
            whole = each.of if isinstance(each, Item) else each
            of = whole.name if isinstance(whole, Name) else "?"
            if of not in self._taken:
                self._leave_out(call, f"{of} of service {name}", "it is not defined here, or was left out")
            elif isinstance(each, Item):
                names = each.item if isinstance(each.item, list) else [each.item]
                parts.append(f"{of}[{', '.join(map(repr, names))}]")
            else:
                parts.append(of)
        if not parts:
            self._leave_out(call, f"service {name}", "nothing of it is left")
            return
        arguments = _named({"owner": owner} if (owner := self._argument(call, "owner")) else {})
        listed = f"[{', '.join(parts)}]"
        self._found.services[variable] = (
            f"{variable} = FeatureService({_joined([repr(name), listed, *arguments])})"
        )


class _Code(str):
    """Text that is Python already."""

    __slots__ = ()


def _named(arguments: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}={value if isinstance(value, _Code) else repr(value)}" for name, value in arguments.items()
    ]


def _joined(parts: Sequence[str]) -> str:
    line = ", ".join(parts)
    return line if len(line) <= 80 else "\n    " + ",\n    ".join(parts) + ",\n"


def _duration(value: Any) -> str:
    """Return a duration as Python; none and zero are forever, as they are in Feast."""
    if isinstance(value, Call) and value.function == "timedelta":
        arguments = dict(zip(("days", "seconds"), value.positional, strict=False)) | dict(value.arguments)
        numbers = {key: each for key, each in arguments.items() if isinstance(each, (int, float))}
        if timedelta(**numbers):
            return f"timedelta({', '.join(f'{key}={each}' for key, each in numbers.items())})"
    return "None"
