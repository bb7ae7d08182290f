"""The JSON schema of a file of monitors, for editors. It follows from the models of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from driftline.monitors.keys import File

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Untitled(GenerateJsonSchema):
    """Leaves out titles, which only repeat names, and defaults, which stand in the documentation."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


def json_schema() -> Mapping[str, Any]:
    """Return the schema, of JSON Schema's draft 2020-12.

    It knows keys, kinds and bounds. What it can't express are contradictions between keys, duplicate keys and
    names of time zones: ``driftline monitors check`` reports those.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **File.model_json_schema(schema_generator=_Untitled),
        "title": "driftline: what is monitored, and how",
        "type": "object",
        "required": ["version"],
    }
