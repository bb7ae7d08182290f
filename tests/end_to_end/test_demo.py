"""The demo, small, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

EVENTS = 3_000


def test_the_demo_ends_with_its_summary(tmp_path):
    line = [sys.executable, "-m", "driftline.cli", "demo", "--events", str(EVENTS), "--json"]
    done = subprocess.run(
        [*line, "--folder", str(tmp_path / "demo")], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["served"] == summary["landed"] == EVENTS
    books = ("missing", "duplicates", "dead_letters")
    assert {name: summary[name] for name in books} == dict.fromkeys(books, 0)
    assert summary["verdicts"] > 0
    assert isinstance(summary["pages_before_faults"], list)
    assert summary["pages_per_1000_hours_before_faults"] >= 0
    assert summary["hours_before_faults"] >= 0
    for fault in summary["faults"]:
        assert {"injected_at", "paged_at", "feature", "delay_hours"} <= fault.keys()
