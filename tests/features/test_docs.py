"""docs/features.md shows what runs as it stands, in the order in which it is shown."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from driftline.features.online import read_provenance
from driftline.testing import MemoryLog

TEXT = (Path(__file__).parents[2] / "docs" / "features.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_examples_run_one_after_the_other(tmp_path, monkeypatch):
    definitions, *others = BLOCKS
    (tmp_path / "flight_features.py").write_text(definitions)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "flight_features", None)
    del sys.modules["flight_features"]
    log = MemoryLog()
    names = {
        "store_url": f"chdb://{tmp_path}/store",
        "online_url": f"sqlite://{tmp_path}/online.db",
        "log": log,
    }
    try:
        for block in others:
            exec(block, names)
    finally:
        for opened in ("online", "connection", "store"):
            if opened in names:
                names[opened].close()
    (prediction,) = log.predictions
    assert prediction.features["engine"] == "turbo-fan"
    provenance = read_provenance(prediction.tags)
    assert set(provenance.views) == {"planes", "legs"}
    assert len(prediction.tags["driftline.features"]) < 150 + 60 * 2
