"""Explaining takes seconds at most, and says so of what would take longer; here it may take what it takes."""

from __future__ import annotations

import pytest

from driftline.store import parts


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(parts, "PATIENCE_S", 200)
