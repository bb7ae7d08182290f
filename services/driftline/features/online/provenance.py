"""Where the values of a prediction came from, as it travels with the event: in a tag of its own.

A tag is what every logger, every version of the wire and every store has already; this one's name is
reserved, it is one short JSON text, and whoever lists tags for people leaves it out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.domain.names import PROVENANCE_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class ViewRead:
    """What was read of one view.

    Args:
        version: the view's.
        computation: the view's: what its rows are made by.
        entity: which entity was asked for.
        age_us: how old the row was by its event time, microseconds; None: there was none, or it had expired.
    """

    version: str
    computation: str
    entity: str
    age_us: int | None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which definitions a prediction's values were read by, and how old each was.

    Args:
        service: the service's name.
        version: the service's version.
        read_us: when they were read, microseconds since 1970.
        views: what was read, by the view's name.
    """

    service: str
    version: str
    read_us: int
    views: Mapping[str, ViewRead]

    @property
    def tags(self) -> dict[str, str]:
        """What ``PredictionLogger.log`` takes as tags, beside those of the prediction's own."""
        views = {
            name: [read.version, read.computation, read.entity, read.age_us]
            for name, read in self.views.items()
        }
        text = json.dumps(
            [_FORMAT, self.service, self.version, self.read_us, views],
            ensure_ascii=False,
            separators=(",", ":"),
        )
        return {PROVENANCE_TAG: text}


def read_provenance(tags: Mapping[str, str]) -> Provenance | None:
    """Return the provenance that a prediction was logged with; None: none, or one of another format."""
    try:
        form, service, version, read_us, views = json.loads(tags.get(PROVENANCE_TAG, ""))
        if form != _FORMAT:
            return None
        reads = {str(name): _view_read(*read) for name, read in views.items()}
        return Provenance(str(service), str(version), int(read_us), reads)
    except (ValueError, TypeError, AttributeError, IndexError):
        return None


def _view_read(version: str, computation: str, entity: str, age_us: int | None) -> ViewRead:
    return ViewRead(str(version), str(computation), str(entity), None if age_us is None else int(age_us))
