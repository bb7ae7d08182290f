"""The demo, small, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 3_000


def little_given(folder: Path) -> dict[str, str]:
    """Return an environment without a home, with a data folder of any name and a proxy that is dead."""
    given = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    given.pop("HOME", None)
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    return given | proxy | {"XDG_DATA_HOME": str(folder)}


def test_the_demo_ends_with_its_summary_wherever_it_is_run(tmp_path):
    folder = tmp_path / "Größe 100%"
    line = [sys.executable, "-m", "driftline.cli", "demo", "--events", str(EVENTS), "--json"]
    done = subprocess.run(
        line, env=little_given(folder), capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (folder / "driftline" / "demo").iterdir()} >= {"log", "store"}
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
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
