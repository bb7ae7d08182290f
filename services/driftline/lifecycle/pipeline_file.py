"""``driftline.yaml``: a pipeline as code, read strictly."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from driftline.domain.streams import PRODUCTION
from driftline.errors import SettingError
from driftline.lifecycle.gate import GateRules
from driftline.performance.paired import Metric  # noqa: TC001  pydantic reads it

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(\d{1,6})([mhdw])")
_LONGEST_BYTES = 1 << 20


def _age(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if (found := _AGE.fullmatch(str(value))) is None:
        raise ValueError(f"{value!r} is no time, such as 60d, 36h or 8w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Age = Annotated[timedelta, BeforeValidator(_age)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSection(_Section):
    """Which rows are learned from, and which are tested on."""

    window: Age = Field(description="So far back predictions are taken.")
    maturity: Age | None = Field(
        default=None, description="Predictions are so old at least; default: by their delays."
    )
    label_age: Age | None = Field(default=None, description="Only truths known so long after the prediction.")
    split: Literal["time", "entity"] = Field(
        default="time", description="Into what is learned from and tested on."
    )
    test_share: float = Field(
        default=0.2, gt=0, lt=1, description="Of the period or the entities: tested on."
    )


class TrainSection(_Section):
    """How the model is trained, and what it answers to the rows that are tested on."""

    command: str = Field(min_length=1, description="Reads DRIFTLINE_DATA/train, writes the artifact.")
    artifact: str = Field(
        default="model", min_length=1, description="What it writes below DRIFTLINE_WORK: a file or a folder."
    )
    artifact_uri: str | None = Field(
        default=None, description="Where those who serve it find it; {run} is the run."
    )
    score: str | None = Field(
        default=None,
        description="Reads DRIFTLINE_DATA/test, writes DRIFTLINE_SCORES. Without: shadow traffic decides.",
    )
    parameters: dict[str, str | int | float | bool] = Field(
        default={}, description="Kept with the training run."
    )


class GateSection(_Section):
    """What a candidate has to keep to; see `driftline.lifecycle.gate.GateRules`."""

    metric: Metric | None = None
    margin: float | None = Field(default=None, gt=0)
    slices: tuple[str, ...] = ()
    slice_margin: float | None = Field(default=None, gt=0)
    level: float = Field(default=0.05, gt=0, lt=0.5)
    least_rows: int = Field(default=200, ge=2)
    least_slice_rows: int = Field(default=100, ge=2)
    calibration_margin: float | None = Field(default=0.02, gt=0)
    latency_ratio: float = Field(default=1.25, gt=0)
    most_invalid: float = Field(default=0.0, ge=0, le=1)
    least_paired: float = Field(default=0.9, ge=0, le=1)
    least_available: float = Field(default=0.99, ge=0, le=1)

    def rules(self) -> GateRules:
        """Return them as the gate takes them."""
        return GateRules(**self.model_dump())


class Pipeline(_Section):
    """A whole file."""

    version: Literal[1]
    model: str = Field(min_length=1, description="Which model.")
    environment: str = Field(default=PRODUCTION, min_length=1, description="Where it serves.")
    snapshots: str = Field(min_length=1, description="Where snapshots lie: a folder or a bucket.")
    data: DataSection
    train: TrainSection
    gate: GateSection = GateSection()
    promote: Literal["production", "canary", "never"] = Field(
        default="production", description="What becomes of a candidate that passes."
    )


def read_pipeline(path: Path) -> Pipeline:
    """Return the pipeline of a file; a relative location of snapshots is beside the file.

    Raises:
        SettingError: it can't be read, or something in it is wrong: all of it is named.
    """
    try:
        content = path.read_bytes()[:_LONGEST_BYTES]
        written = YAML(typ="safe", pure=True).load(content.decode("utf-8"))
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: {error}") from error
    try:
        pipeline = Pipeline.model_validate(written)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}" for each in error.errors()
        )
        raise SettingError(f"{path}: {problems}") from error
    if "://" in pipeline.snapshots:
        return pipeline
    return pipeline.model_copy(update={"snapshots": str((path.parent / pipeline.snapshots).resolve())})
