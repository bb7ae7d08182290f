"""The schemas are found, and their fingerprints are Avro's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fastavro.schema import to_parsing_canonical_form

import driftline
from driftline.wire import (
    TOPIC_BY_EVENT,
    event_schema,
    parse_event_schema,
    schema_folder,
    schema_of_fingerprint,
)

EMPTY = 0xC15D213AA4D7A795


def crc_64_avro(data: bytes) -> bytes:
    """The specification's Rabin fingerprint, bit by bit, as the bytes of the single-object encoding."""
    crc = EMPTY
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (EMPTY if crc & 1 else 0)
    return crc.to_bytes(8, "little")


def test_the_reference_fingerprint_is_the_specifications():
    # Known values from Avro's own test data.
    assert crc_64_avro(b'"null"') == (7195948357588979594).to_bytes(8, "little")
    assert crc_64_avro(b'"int"') == (8247732601305521295).to_bytes(8, "little")


@pytest.mark.parametrize("name", TOPIC_BY_EVENT)
def test_a_schemas_fingerprint_is_that_of_its_canonical_form(name):
    schema = event_schema(name)
    canonical = to_parsing_canonical_form(json.loads(schema.text))
    assert schema.fingerprint == crc_64_avro(canonical.encode())
    assert schema_of_fingerprint(schema.fingerprint) is schema
    assert schema.topic == TOPIC_BY_EVENT[name]


def test_an_unknown_fingerprint_has_no_schema():
    assert schema_of_fingerprint(bytes(8)) is None


@pytest.mark.parametrize(
    "path", sorted((schema_folder("avro") / "earlier").glob("*.avsc")), ids=lambda path: path.stem
)
def test_what_an_earlier_schema_wrote_is_known_and_all_that_was_added_has_a_default(path):
    earlier = parse_event_schema(path.read_text())
    assert schema_of_fingerprint(earlier.fingerprint).text == earlier.text
    before, now = earlier.parsed["fields"], event_schema(earlier.name).parsed["fields"]
    assert [field["name"] for field in now[: len(before)]] == [field["name"] for field in before]
    assert all("default" in field for field in now[len(before) :])


def test_each_schema_file_is_an_event():
    assert {path.stem for path in schema_folder("avro").glob("*.avsc")} == set(TOPIC_BY_EVENT)


@pytest.mark.parametrize("name", TOPIC_BY_EVENT)
def test_every_field_says_what_it_means(name):
    document = json.loads(event_schema(name).text)
    assert document["doc"]
    assert [field["name"] for field in document["fields"] if not field.get("doc")] == []


def test_an_installed_package_finds_the_schemas_that_it_carries(tmp_path):
    package = Path(driftline.__file__).parent
    installed = tmp_path / "site-packages" / "driftline"
    shutil.copytree(package / "wire", installed / "wire")
    shutil.copy(package / "errors.py", installed / "errors.py")
    (installed / "__init__.py").write_text("")
    shutil.copytree(schema_folder("avro"), installed / "schemas" / "avro")
    code = "from driftline.wire import schema_folder; print(schema_folder('avro'))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "site-packages",
        env={"PYTHONPATH": str(installed.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str((installed / "schemas" / "avro").resolve())
