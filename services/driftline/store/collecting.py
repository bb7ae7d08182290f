"""Reading a lot at once, without Python's collector looking through all of it again and again."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_collecting() -> Iterator[None]:
    """Have no cycles collected meanwhile: rows that are read are lists by the hundred thousand, and no cycle.

    Where two threads do this at once, the first that is done ends it for both.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
