"""References to data: by the digest of files, by a table's shape, by whatever the team gives."""

from __future__ import annotations

import hashlib

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from driftline import DataReference
from driftline.errors import SettingError

COLUMNS = {"distance": [733.0, 100.0], "carrier": ["UA", "DL"]}


def test_a_file_is_known_by_its_digest_and_a_table_by_its_shape(tmp_path):
    path = tmp_path / "flights.csv"
    path.write_text("distance\n733\n")
    reference = DataReference.from_path(path, pd.DataFrame(COLUMNS))
    assert reference.uri == path.as_uri()
    assert reference.fingerprint == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert (reference.rows, reference.columns["distance"]) == (2, "float64")


def test_a_folder_changes_with_each_of_its_files(tmp_path):
    (tmp_path / "a").write_text("1")
    before = DataReference.from_path(tmp_path)
    (tmp_path / "b").write_text("2")
    assert DataReference.from_path(tmp_path).fingerprint != before.fingerprint
    with pytest.raises(SettingError, match="there is no such file, nor a folder with files"):
        DataReference.from_path(tmp_path / "c")


@pytest.mark.parametrize(
    ("frame", "kind"),
    [(pd.DataFrame(COLUMNS), "float64"), (pl.DataFrame(COLUMNS), "Float64"), (pa.table(COLUMNS), "double")],
)
def test_rows_and_columns_are_taken_from_tables_of_any_library(frame, kind):
    reference = DataReference.from_frame(frame, uri="warehouse.flights", fingerprint="snapshot-7")
    assert (reference.rows, reference.columns["distance"], reference.fingerprint) == (2, kind, "snapshot-7")
