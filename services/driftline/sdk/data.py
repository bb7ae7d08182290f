"""References to the data that a run learned from: where it lies, and its fingerprint."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from driftline.errors import SettingError
from driftline.registry.runs import CATEGORICAL
from driftline.sdk.arguments import check_text, checked_names, checked_texts
from driftline.sdk.artifacts import Artifact, read_files

if TYPE_CHECKING:
    import os


_NUMBERS = frozenset("iufb")
_ARROW_DICTIONARY = re.compile(r"dictionary<values=(u?int|float|double|half|bool)").match


@dataclass(frozen=True, slots=True)
class DataReference:
    """Data of a run.

    Args:
        uri: a path, a table or a query, with its version.
        name: what the team calls it, such as ``training`` or ``test``.
        fingerprint: checksum with the name of its algorithm, ``sha256:...``, or a snapshot's id.
        rows: how many; None: not known.
        columns: its schema: type by column.
    """

    uri: str
    name: str = "training"
    fingerprint: str | None = None
    rows: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], frame: Any = None, *, name: str = "training") -> Self:
        """Return a reference to a file, or to all files of a folder, by the digest of what they hold.

        Args:
            path: on this host.
            frame: the same as a table, for rows and columns.
            name: what the team calls it.

        Raises:
            SettingError: there is no such file.
        """
        place = Path(path)
        digest = Artifact(None, read_files(place, "data")).sha256
        return cls(place.resolve().as_uri(), name, f"sha256:{digest}", *table_shape(frame))

    @classmethod
    def from_frame(
        cls, frame: Any, *, uri: str, name: str = "training", fingerprint: str | None = None
    ) -> Self:
        """Return a reference to a table, with its rows and columns: a DataFrame or an Arrow table.

        Args:
            frame: the table, which is not looked into: give the fingerprint, or a snapshot's id.
            uri: where it is from: a table or a query.
            name: what the team calls it.
            fingerprint: as above.
        """
        return cls(uri, name, fingerprint, *table_shape(frame))

    def checked(self) -> dict[str, Any]:
        """Return the reference as the wire takes it.

        Raises:
            SettingError: a field is wrong.
        """
        check_text("data: uri", self.uri)
        check_text("data: name", self.name)
        if self.fingerprint is not None:
            check_text("data: fingerprint", self.fingerprint)
        if self.rows is not None and (isinstance(self.rows, bool) or not isinstance(self.rows, int)):
            raise SettingError(f"data: rows={self.rows!r}: it must be an integer")
        return {
            "uri": self.uri,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "rows": self.rows,
            "columns": dict(checked_texts("data: columns", self.columns)),
        }


def table_shape(frame: Any) -> tuple[int | None, Mapping[str, str]]:
    """Return a table's number of rows, and the type of each column; what is not known is None, or absent."""
    if frame is None:
        return None, {}
    if isinstance(frame, Mapping):
        return max((len(column) for column in frame.values()), default=0), {}
    schema = getattr(frame, "schema", None)
    if hasattr(frame, "column_names"):  # Arrow.
        return frame.num_rows, {each.name: str(each.type) for each in schema or ()}
    types = schema if isinstance(schema, Mapping) else getattr(frame, "dtypes", {})
    return len(frame), {str(name): str(kind) for name, kind in types.items()}


def features_of_run(
    reference: Any, features: Mapping[str, Any] | None, categorical: Collection[Any] | None
) -> Mapping[str, Any]:
    """Return the type of each feature of a run, those of categories among them.

    Args:
        reference: the table that says them, where nothing else does.
        features: types by name. None: those of the table.
        categorical: names of features that are categories, whatever the type of their values.

    Raises:
        SettingError: one of these is no name.
    """
    own = feature_types(reference) if features is None else features
    categories = checked_names("categorical", categorical) | categories_among(own)
    return {**own, **dict.fromkeys(sorted(categories), CATEGORICAL)}


def feature_types(frame: Any) -> Mapping[str, str]:
    """Return the type of each column; ``categorical`` is what holds categories that are no texts."""
    types = dict(table_shape(frame)[1])
    if hasattr(frame, "dtypes") and not isinstance(frame, Mapping) and hasattr(frame, "iloc"):  # pandas.
        for name, kind in frame.dtypes.items():
            values = getattr(getattr(kind, "categories", None), "dtype", None)
            if values is not None and getattr(values, "kind", "O") in _NUMBERS:
                types[str(name)] = CATEGORICAL
    return {name: CATEGORICAL if _ARROW_DICTIONARY(kind) else kind for name, kind in types.items()}


def categories_among(types: Mapping[Any, Any]) -> frozenset[str]:
    """Return the names of those features that a run says are categories."""
    return frozenset(str(name) for name, kind in types.items() if kind == CATEGORICAL)


def data_references(
    data: DataReference | str | Sequence[DataReference | str] | None,
    data_uri: str | None,
    data_fingerprint: str | None,
) -> Sequence[DataReference]:
    """Return the references that were given in one way or the other.

    Raises:
        SettingError: in both, or a fingerprint without a place.
    """
    if data_uri is not None or data_fingerprint is not None:
        if data is not None:
            raise SettingError("data and data_uri or data_fingerprint say the same: give one of them")
        if data_uri is None:
            raise SettingError("data_fingerprint needs data_uri beside it")
        return [DataReference(data_uri, fingerprint=data_fingerprint)]
    if data is None:
        return []
    several: Sequence[Any] = [data] if isinstance(data, str | DataReference) else data
    found = [DataReference(each) if isinstance(each, str) else each for each in several]
    for each in found:
        if not isinstance(each, DataReference):
            raise SettingError(f"data: {type(each).__name__} is no DataReference, and no text")
    return found
