"""What is installed beside driftline is the same whoever installed it."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import distributions


def test_no_module_comes_from_two_packages():
    """Else it is the one that happened to be written last, and installers write in any order."""
    owners = defaultdict(set)
    for package in distributions():
        for file in package.files or ():
            if file.suffix in {".py", ".so"} and ".." not in file.parts:
                owners[str(file)].add(package.metadata["Name"])
    assert len(owners) > 1000
    assert {file: names for file, names in owners.items() if len(names) > 1} == {}
