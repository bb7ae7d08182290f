"""Characters that move a cursor, end a line, turn text around or are not to be seen are shown as escapes."""

from __future__ import annotations

import json
import unicodedata

import pytest

from driftline.printable import printable

# Cf, but characters of languages are joined by them, and pictures.
JOINERS = "\u200c\u200d"


def test_a_text_of_characters_of_any_language_stays():
    text = "flight-delay größe दिल्ली \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 👩\u200d🚀 \u00a0"
    assert printable(text) == text


@pytest.mark.parametrize("category", ["Cc", "Cs", "Zl", "Zp"])
def test_no_character_of_a_dangerous_kind_is_left(category):
    found = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == category]
    assert found
    assert not set(printable("".join(found))) & set(found)


def test_no_character_turns_text_around():
    turning = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.bidirectional(chr(code))
        in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    ]
    assert len(turning) == 9
    assert not set(printable("".join(turning))) & set(turning)
    assert printable("a\u202eb\u200fc") == "a\\u202eb\\u200fc"


def test_what_is_to_be_kept_is_kept():
    assert printable("a\nb\tc\x1b[2J", keep="\n") == "a\nb\\u0009c\\u001b[2J"


def test_json_is_still_json_with_the_same_texts():
    texts = ["\x7f\x1b\u202e", "\U000e0041", "a\u2028b", "plain"]
    assert json.loads(printable(json.dumps(texts, ensure_ascii=False))) == texts
