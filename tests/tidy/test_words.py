"""Private words are found in names and in prose, and left alone where they are ordinary English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy.words import PRIVATE, private_words

CLEAN = "services/driftline/wire/codec.py"
GLOSSARY = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "def bury(records): ...",
        "told_absent = True",
        "class LetterFilter: ...",
        "# A beat that was heard.",
        '"""Say whether it is so."""',
        'message = "the last word counts"',
    ],
)
def test_a_private_word_is_found_with_what_to_write_instead(line):
    findings = list(private_words(CLEAN, f"x = 1\n{line}\n"))
    assert findings
    assert all(finding.startswith(f"{CLEAN}:2: ") for finding in findings)


@pytest.mark.parametrize(
    "line",
    [
        "dead_letters = list(DEAD_LETTERS)",
        "# A heartbeat, in other words; background work; a password.",
        '"""Return whether letters and digits stand here, by the ground truth."""',
        'schema = "SessionBeat"',
    ],
)
def test_ordinary_english_passes(line):
    assert list(private_words(CLEAN, line)) == []


def test_what_is_neither_prose_nor_code_is_not_looked_at():
    assert (
        list(private_words("services/driftline/web/static/page.css", "letter-spacing: 0; word-break")) == []
    )


def test_a_panel_is_grafanas_where_grafana_is_and_private_elsewhere():
    assert list(private_words("dashboards/grafana/source/panels.py", "panel = Panel()")) == []
    assert list(private_words(CLEAN, "panel = Panel()"))
    assert list(private_words("dashboards/grafana/source/panels.py", "told = 1"))


def test_the_glossary_defines_each_word_once_in_a_sentence():
    words = re.findall(r"^\| ([^|]+) \| (.+) \|$", GLOSSARY, flags=re.MULTILINE)
    defined = [word for word, _ in words if word not in {"term", "---"}]
    assert len(defined) == len(set(defined)) >= 40
    assert [text for word, text in words if word in defined and not text.endswith(".")] == []


@pytest.mark.parametrize(
    "word",
    [
        *"incident acknowledgement heartbeat segment window reference baseline overdispersion".split(),
        *"threshold publish stream channel verdict completeness grid profile derivation".split(),
        "dead letter queue",
        "descriptive statistic",
    ],
)
def test_the_standard_words_are_in_it(word):
    assert f"\n| {word} | " in GLOSSARY
    assert word not in PRIVATE
