"""What stands beside a committed offset, as the next reader finds it."""

from __future__ import annotations

import pytest

from driftline.errors import LogError
from driftline.log.kafka.note import Note, parse_note


@pytest.mark.parametrize("note", [Note("a-_9"), Note("a-_9", (0, 0)), Note("", (7, 1 << 60))])
def test_a_note_comes_back_as_it_was_written(note):
    assert parse_note(str(note)) == note


@pytest.mark.parametrize("text", [None, "", "moved by hand", "drift"])
def test_what_others_wrote_is_no_note(text):
    assert parse_note(text) is None


@pytest.mark.parametrize("text", ["driftline:2:x", "driftline:1:x:5", "driftline:1:x:1-2:more", "driftline:"])
def test_what_is_not_understood_is_reported(text):
    with pytest.raises(LogError, match="newer driftline"):
        parse_note(text)
