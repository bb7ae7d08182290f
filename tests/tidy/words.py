"""The words of the field: what `docs/glossary.md` defines is called so, and no private word stands for it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE: Final = {
    "letter": "dead letter, or record",
    "bury": "dead-letter",
    "word": "acknowledgement, text or name",
    "said": "acknowledged, reported or written",
    "hear": "receive or read",
    "told": "reported, given or described",
    "beat": "heartbeat",
    "stretch": "segment, run or span",
    "ground": "baseline or reference",
    "panel": "feature set",
    "caution": "threshold or margin",
    "familiar": "descriptive",
    "tend": "maintain",
}
"""Private words, and what to write instead."""

_INFLECTED: Final = {
    "letters": "letter",
    "buried": "bury",
    "buries": "bury",
    "burying": "bury",
    "words": "word",
    "hears": "hear",
    "heard": "hear",
    "hearing": "hear",
    "beats": "beat",
    "stretches": "stretch",
    "grounds": "ground",
    "panels": "panel",
    "cautious": "caution",
    "cautions": "caution",
    "tends": "tend",
    "tended": "tend",
}

ORDINARY: Final = re.compile(
    r"dead[- _]?letters?|ground[- _]truth"
    r"|letters?,? (?:and )?(?:or )?(?:no )?digits?|a letter, then|(?:lower|upper)-case letter"
    r"|SessionBeat|beat_time|(?:pulse|self)\.beat\(|def beat\("  # Names of the wire and of a loop's pulse.
    r"|panels? of grafana|grafana's panels?|in (?:other )?words|words\.py|tidy import .*\bwords\b"
    r"|words\.private_words|(?:SMALL|CAPITAL) LETTER",
    re.IGNORECASE,
)
"""Where these words mean what they mean everywhere."""

GRAFANA: Final = (
    "dashboards/grafana/",
    "docs/dashboards.md",
    "services/driftline/grafana/",
    "tests/dashboards/",
    "tests/grafana/",
    "tests/support/grafana.py",
)
"""Where a panel is Grafana's."""

_ITSELF = ("tests/tidy/words.py", "tests/tidy/test_words.py")
"""What lists these words has to name them."""

_LOOKED_AT = frozenset({".py", ".md", ".html", ".avsc", ".sql", ".yaml", ".yml", ".toml"})
_APART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_MAYBE = re.compile("|".join([*PRIVATE, *_INFLECTED, "Say", "Tell"]), re.IGNORECASE)
_SPOKEN = re.compile(r'"""(?:Say|Tell) (?:whether|if|how|what|which|who|when|where)\b')


def private_words(path: str, text: str) -> Iterator[str]:
    """What `docs/glossary.md` defines is called so, in names as in prose."""
    if PurePosixPath(path).suffix not in _LOOKED_AT or path in _ITSELF:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if not _MAYBE.search(line):
            continue  # Taking a line apart takes its time.
        for part in _APART.findall(ORDINARY.sub("", line)):
            word = _INFLECTED.get(part.lower(), part.lower())
            if word in PRIVATE and not (word == "panel" and path.startswith(GRAFANA)):
                yield f"{path}:{number}: {part}: write {PRIVATE[word]} (docs/glossary.md)"
        if path.endswith(".py") and _SPOKEN.search(line):
            yield f'{path}:{number}: a docstring says what is returned: "Return whether ..."'
