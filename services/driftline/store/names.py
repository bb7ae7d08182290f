"""The keys of features (see ``driftline.domain.names``) in SQL."""

from __future__ import annotations

from driftline.domain.names import PATTERN, PREFIX


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\") + "'"


_FORM = f"own, {_literal(PATTERN)}, {_literal(PREFIX + chr(92) + '0')}"


def keys_of(names: str) -> str:
    """Return SQL for the keys of features, from SQL for an array of their names.

    One function of each name: so it is computed once a name of a block's dictionary, not once a row.
    """
    return f"arrayMap(own -> replaceRegexpOne({_FORM}), {names})"
