"""The schema for editors follows from the tables, and agrees with the reader."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from driftline.monitors.keys import Feature, File, Model, keys_of
from driftline.monitors.problems import Problems
from driftline.monitors.schema import json_schema
from driftline.monitors.syntax import Items, Mapped, Text, read_yaml

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

NO_YAML = frozenset(
    "empty only_a_comment indentation several_documents unclosed unknown_anchor unquoted_pattern "
    "unquoted_star".split()
)
# What takes more than a look at one value: what stands beside it, a table of time zones, anchors.
BEYOND_A_SCHEMA = frozenset("contradictions inherited time_zones merged anchor_in_itself".split())

SHARES = "1 0 0.5 .5 1. 1e3 1E-3 -0.0 0.5% 5% 100% 101% 0% 0.0%".split()
NUMBERS = "5 -1 +5 12 168 169 90m 0h 14d 2w 08 0o17 1_000 .inf .nan nan 12:30".split()
TEXTS = (
    "true false yes off warn no null ~ 2026-01-31 carrier carrier=DL a=b=c =DL carrier= UTC v1.2 categorical"
).split()
SPACED = ["Europe/Berlin", "5 %", "", "a b", " a", "a "]
NESTED = ["[]", "[1]", "[1, 6]", "[a, a]", "[a, b]", "{}", "{a: b}", "{a: {}}"]
QUOTED = ['"1"', '"off"', '"true"', '"null"', '""', '"0.5%"', '"14d"', '"UTC"', '["1"]', '["null"]', '[""]']


def as_editors_read(node: Text | Items | Mapped) -> object:
    """Return what an editor's YAML 1.2 (core schema) makes of a node."""
    if isinstance(node, Mapped):
        return {str(key): as_editors_read(value) for key, value in node.items()}
    if isinstance(node, Items):
        return [as_editors_read(item) for item in node]
    return str(node) if node.quoted else resolved(str(node))


def resolved(text: str) -> object:
    """Return what a plain scalar is; source: YAML 1.2.2, section 10.3.2."""
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return text.lower() == "true"
    if re.fullmatch(r"0o[0-7]+", text):
        return int(text, 8)
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    is_float = re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text)
    return float(text) if is_float else text


def errors(schema, node):
    return [error.message for error in Draft202012Validator(schema).iter_errors(as_editors_read(node))]


def test_the_file_for_editors_is_what_the_tables_say():
    """Mend it with ``driftline monitors schema > schemas/monitors.schema.json``."""
    assert json.loads((ROOT / "schemas" / "monitors.schema.json").read_text()) == json_schema()


def test_it_is_a_schema():
    Draft202012Validator.check_schema(json_schema())
    assert set(json_schema()["properties"]) == {key.name for key in keys_of(File)}


@pytest.mark.parametrize("path", sorted((HERE / "valid").glob("*.yaml")), ids=lambda path: path.stem)
def test_what_is_valid_is_valid_for_an_editor(path):
    assert errors(json_schema(), read_yaml(path, Problems(path.name))) == []


@pytest.mark.parametrize(
    "path",
    [path for path in sorted((HERE / "broken").glob("*.yaml")) if path.stem not in NO_YAML | BEYOND_A_SCHEMA],
    ids=lambda path: path.stem,
)
def test_what_is_broken_is_marked_by_an_editor(path):
    assert errors(json_schema(), read_yaml(path, Problems(path.name)))


@pytest.mark.parametrize("stem", sorted(BEYOND_A_SCHEMA))
def test_what_is_beyond_a_schema_is_not_marked(stem):
    """Else it would be better taken from that list."""
    path = HERE / "broken" / f"{stem}.yaml"
    assert errors(json_schema(), read_yaml(path, Problems(path.name))) == []


@pytest.mark.parametrize(
    ("section", "key"),
    [(section, key.name) for section in (Model, Feature) for key in keys_of(section)],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_an_editor_marks_nothing_that_the_reader_takes(section, key, tmp_path):
    schema = {"$ref": f"#/$defs/{section.__name__}", "$defs": json_schema()["$defs"]}
    taken = 0
    for text in [*SHARES, *NUMBERS, *TEXTS, *SPACED, *NESTED, *QUOTED]:
        (tmp_path / "value.yaml").write_text(f"{key}: {text}\n")
        root = read_yaml(tmp_path / "value.yaml", Problems("value.yaml"))
        assert isinstance(root, Mapped)
        try:
            section.model_validate(root)
        except ValidationError:
            continue
        taken += 1
        assert errors(schema, root) == [], text
    assert taken >= 1
