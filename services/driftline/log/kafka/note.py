"""What a reader writes beside a committed offset, for whoever reads the partition next.

``driftline:1:<topic id>`` or, with an intent, ``driftline:1:<topic id>:<first>-<last>``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from driftline.errors import LogError

_MARK = "driftline:"
_form = re.compile(r"driftline:1:([A-Za-z0-9_-]*)(?::([0-9]+)-([0-9]+))?").fullmatch


@dataclass(frozen=True, slots=True)
class Note:
    """What stands beside an offset.

    Args:
        topic_id: the topic that numbered the offset; a topic that is created anew has another.
        intent: first and last offset of the range that is being processed.
    """

    topic_id: str
    intent: tuple[int, int] | None = None

    def __str__(self) -> str:
        intent = "" if self.intent is None else f":{self.intent[0]}-{self.intent[1]}"
        return f"{_MARK}1:{self.topic_id}{intent}"


def parse_note(text: str | None) -> Note | None:
    """Return the note; None when there is none, as when somebody set the offset with another tool.

    Raises:
        LogError: a driftline wrote it that this one does not understand.
    """
    if not text or not text.startswith(_MARK):
        return None
    found = _form(text)
    if found is None:
        raise LogError(f"a newer driftline read here, which leaves notes such as {text!r}: use that one")
    topic_id, first, last = found.groups()
    return Note(topic_id, None if first is None else (int(first), int(last)))
