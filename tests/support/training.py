"""Training runs of tests, which no training made."""

from __future__ import annotations

WAIVED = dict.fromkeys(("artifact", "code", "environment", "data"), "a test trains nothing")
