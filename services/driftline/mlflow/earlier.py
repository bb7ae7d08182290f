"""What a run was registered with before; what MLflow never knew is not to go with a new revision."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import WireError
from driftline.log.schemas import WriterSchemas
from driftline.wire import TRAINING_RUN, TRAINING_RUNS_TOPIC, decode_as, split_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.log import EventLog
    from driftline.wire import EventSchema, SchemaRef

KEPT: Final = (
    "git_commit",
    "git_branch",
    "git_remote",
    "git_dirty",
    "git_changes",
    "git_changes_sha256",
    "environment_kind",
    "environment_sha256",
    "environment_text",
    "data_uri",
    "data_fingerprint",
    "data_references",
    "reference_rows",
    "reference_session_id",
    "runtime",
    "cost",
    "features",
)
"""What the code that trained may know better than MLflow. Where the model lies is MLflow's to say."""


def earlier_fields(log: EventLog, model_name: str, training_run_id: str) -> Mapping[str, Any]:
    """Return what a run was registered with last; nothing where the log keeps it no more. Blocks for the log.

    Args:
        log: an open log.
        model_name: that the run trained.
        training_run_id: which run.

    Raises:
        LogError: the log can't be used now.
    """
    found: Mapping[str, Any] = {}
    schema_of, wanted = WriterSchemas(log), training_run_id.encode()
    with closing(log.scan(TRAINING_RUNS_TOPIC)) as scan:
        for batch in scan.read():
            for key, value in zip(batch.keys, batch.values, strict=True):
                if key == wanted:
                    fields = _decoded(value, schema_of)
                    found = fields if fields.get("model_name") == model_name else found
    return {name: found[name] for name in KEPT if found.get(name)}


def _decoded(record: bytes, schema_of: Callable[[SchemaRef], EventSchema | None]) -> Mapping[str, Any]:
    try:
        ref, datum = split_frame(record)
        schema = schema_of(ref)
        return decode_as(schema, datum) if schema is not None and schema.name == TRAINING_RUN else {}
    except WireError:
        return {}
