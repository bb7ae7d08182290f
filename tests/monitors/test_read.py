"""What is wrong with a file is reported all at once: where, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.drift import DriftSettings
from driftline.errors import SettingError
from driftline.monitors import MonitorsError, read_monitors

HERE = Path(__file__).parent
BROKEN = sorted((HERE / "broken").glob("*.yaml"))
VALID = sorted((HERE / "valid").glob("*.yaml"))


def reported(path: Path) -> str:
    """Return what reading a file is refused with, the folder left out."""
    with pytest.raises(MonitorsError) as refused:
        read_monitors(path, DriftSettings())
    return str(refused.value).replace(f"{path.parent}/", "")


def unwrapped(text: str) -> str:
    """Return expected lines as they are reported; in the files they are wrapped, and indented by four."""
    return text.replace("\n    ", " ").strip()


def test_every_broken_file_has_its_text_beside_it_and_no_text_is_left_over():
    assert len(BROKEN) >= 10
    texts = (HERE / "broken").glob("*.txt")
    assert {path.stem for path in texts} == {path.stem for path in BROKEN}


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file_is_refused_with_every_problem_at_its_place(path):
    assert reported(path) == unwrapped(path.with_suffix(".txt").read_text())


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_file_is_read(path):
    assert read_monitors(path, DriftSettings()).entries


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"version: 1\nmodels:\n\tchurn: {}\n", "m.yaml:3:1: a tab; YAML is indented with spaces"),
        (
            b"version: 1\n# Z\xfcrich\n",
            "m.yaml:2:4: the byte 0xFC is no UTF-8; save the file in UTF-8",
        ),
        (b"version: 1\n#\x07\n", "m.yaml:2:2: the character U+0007 may not stand in YAML; take it out"),
        (
            b"version: 1\nmodels: " + b"[" * 5000,
            "m.yaml:1:1: lists and mappings stand too deep within each other",
        ),
        (
            b"#" * 1_000_001,
            "m.yaml: 1000001 bytes are too many for a file of monitors (1000000)",
        ),
    ],
)
def test_a_file_that_no_editor_shows_well_is_refused_with_a_reason(tmp_path, content, expected):
    (tmp_path / "m.yaml").write_bytes(content)
    assert reported(tmp_path / "m.yaml") == expected


def test_a_file_that_is_missing_or_a_folder_is_named(tmp_path):
    missing = "m.yaml: the file of monitors can't be read: no such file or directory"
    assert reported(tmp_path / "m.yaml") == missing
    (tmp_path / "folder.yaml").mkdir()
    assert (
        reported(tmp_path / "folder.yaml")
        == "folder.yaml: the file of monitors can't be read: is a directory"
    )


def test_the_refusal_is_a_wrong_setting_and_holds_its_parts():
    with pytest.raises(SettingError) as refused:
        read_monitors(HERE / "broken" / "version_of_tomorrow.yaml", DriftSettings())
    (problem,) = refused.value.problems
    assert (problem.line, problem.column, problem.path) == (1, 10, "version")


def test_aliases_of_aliases_do_not_grow(tmp_path):
    """Nine lists of nine of each other are read in no time, though written out they are 9**9 texts."""
    lines = ["version: 1", "x0: &x0 [a, b, c, d, e, f, g, h, i]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 9)]
    (tmp_path / "m.yaml").write_text("\n".join(lines))
    assert reported(tmp_path / "m.yaml").count("there is no such key") == 9


def test_a_byte_order_mark_is_no_problem(tmp_path):
    (tmp_path / "m.yaml").write_bytes(b"\xef\xbb\xbfversion: 1\n")
    assert not read_monitors(tmp_path / "m.yaml", DriftSettings()).entries


def test_what_answers_are_worth_has_a_currency(tmp_path):
    path = tmp_path / "monitors.yaml"
    head = "version: 1\nmodels:\n  late:\n    business_value: "
    fine = f"{head}{{currency: EUR, true_positive: 2.5, classes: {{a: {{false_negative: -1}}}}}}\n"
    path.write_text(fine)
    given = read_monitors(path, DriftSettings()).of("late").business_value
    assert given == {"currency": "EUR", "true_positive": 2.5, "classes": {"a": {"false_negative": -1.0}}}
    for without in (f"{head}{{over: -2}}\n", f"{head}{{classes: {{a: {{false_negative: -1}}}}}}\n"):
        path.write_text(without)
        with pytest.raises(MonitorsError, match="has no currency; set one beside it"):
            read_monitors(path, DriftSettings())
