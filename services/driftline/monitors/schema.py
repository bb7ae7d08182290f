"""The JSON schema of a file of monitors, for editors. It follows from the tables of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.monitors.keys import FILE

if TYPE_CHECKING:
    from collections.abc import Mapping


def json_schema() -> Mapping[str, Any]:
    """Return the schema, of JSON Schema's draft 2020-12.

    It knows keys, kinds and bounds. What it can't say are contradictions between keys, duplicate keys and
    names of time zones: ``driftline monitors check`` tells those.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "driftline: what is monitored, and how",
        **FILE.schema(),
        "type": "object",
        "required": ["version"],
    }
