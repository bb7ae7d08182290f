"""Which schema wrote a record: this release's own, an earlier one's, or one that the log's registry knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.errors import WireError
from driftline.wire import EventSchema, SchemaRef, parse_event_schema, schema_of_fingerprint

if TYPE_CHECKING:
    from driftline.log import EventLog

_MAX_KNOWN = 10_000


class WriterSchemas:
    """Finds writer schemas, and remembers them.

    Args:
        log: whose registry is asked for a schema by its id.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._by_id: dict[int, EventSchema | None] = {}

    def __call__(self, ref: SchemaRef) -> EventSchema | None:
        """Return the schema that a frame names; None: nobody knows it, or it is of no event of driftline's.

        Blocks for the registry where an id is seen for the first time.

        Raises:
            LogError: the registry is away. That says nothing about the record: it is to be tried again.
        """
        if ref.fingerprint is not None:
            return schema_of_fingerprint(ref.fingerprint)
        schema_id = ref.schema_id or 0
        if schema_id not in self._by_id:
            if len(self._by_id) >= _MAX_KNOWN:  # Garbage names ids at random.
                self._by_id.clear()
            self._by_id[schema_id] = self._ask(schema_id)
        return self._by_id[schema_id]

    def _ask(self, schema_id: int) -> EventSchema | None:
        text = self._log.writer_schema(schema_id)
        if text is None:
            return None
        try:
            return parse_event_schema(text)
        except WireError:
            return None
