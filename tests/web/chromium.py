"""A browser's window, of the size of a desk's or a phone's screen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

SCREENS = {"desk": (1280, 900), "phone": (390, 844)}


@contextmanager
def opened(
    chromium: Browser, *, scheme: str = "light", screen: str = "desk", **options: Any
) -> Iterator[Page]:
    """Open a window."""
    width, height = SCREENS[screen]
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, **options
    )
    yield context.new_page()
    context.close()
