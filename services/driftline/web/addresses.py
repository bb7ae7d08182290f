"""Addresses of the pages: names may hold any character, also slashes, and still make one segment."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode

_MARK = "~"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a page, with a place for each name in it.

    Args:
        pattern: such as ``/models/MODEL``: a segment in capitals stands for a name.
        suffix: behind the last name, such as ``.md``.
    """

    pattern: str
    suffix: str = ""

    def __call__(self, *names: str, **query: str | int | None) -> str:
        """Return the address for these names, in the pattern's order; query values of None are left out."""
        rest = iter(names)
        segments = [_segment(next(rest)) if part.isupper() else part for part in self.pattern.split("/")]
        given = {key: value for key, value in query.items() if value is not None}
        return "/".join(segments) + self.suffix + (f"?{urlencode(given)}" if given else "")

    def names(self, raw_path: str) -> tuple[str, ...] | None:
        """Return the names in an address that is still quoted, as it came; None: it is another page's."""
        if not raw_path.endswith(self.suffix):
            return None
        parts, segments = self.pattern.split("/"), raw_path.removesuffix(self.suffix).split("/")
        if len(parts) != len(segments):
            return None
        pairs = list(zip(parts, segments, strict=True))
        if not all(segment if part.isupper() else part == segment for part, segment in pairs):
            return None
        return tuple(_name(segment) for part, segment in pairs if part.isupper())


fleet_path = Address("/")
model_path = Address("/models/MODEL")
feature_path = Address("/models/MODEL/features/FEATURE")
explorer_path = Address("/models/MODEL/predictions")
history_path = Address("/models/MODEL/history")
compare_path = Address("/models/MODEL/compare/ONE/OTHER")
run_path = Address("/models/MODEL/runs/RUN")
lifecycle_path = Address("/models/MODEL/lifecycle")
performance_path = Address("/models/MODEL/performance")
features_path = Address("/features")
incident_path = Address("/incidents/INCIDENT")
ticket_path = Address("/incidents/INCIDENT", ".md")
acknowledge_path = Address("/incidents/INCIDENT/acknowledgements")
prediction_path = Address("/predictions/EVENT")
runbooks_path = Address("/runbooks")
runbook_path = Address("/runbooks/ALERT")


def _segment(name: str) -> str:
    # Browsers resolve the segments '.' and '..', quoted or not; a mark before them keeps them names.
    marked = name.startswith(_MARK) or name in {"", ".", ".."}
    return quote(_MARK + name if marked else name, safe="")


def _name(segment: str) -> str:
    return unquote(segment).removeprefix(_MARK)
