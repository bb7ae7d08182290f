"""The package says its version, which is the one that is installed, and costs nothing until it is asked."""

from __future__ import annotations

from importlib.metadata import version

import pytest

import driftline


def test_the_package_says_its_version():
    assert driftline.__version__ == version("driftline")


def test_no_other_name_is_made_up():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = driftline.nonsense
