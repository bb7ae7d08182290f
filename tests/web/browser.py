"""Asking a server as a browser would."""

from __future__ import annotations

import html
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message

    from driftline.store import Store


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    text: str


@dataclass(frozen=True)
class Browser:
    """Asks one server; addresses are sent as they stand.

    Args:
        url: of the server.
        hostile: the part of addresses that names the model with a hostile name, if there is one.
        store: what it serves, if that is to be asked as well.
    """

    url: str
    hostile: str = ""
    store: Store | None = None

    def ask(self, path: str) -> Answer:
        """Return whatever the server answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode())

    def get(self, path: str, *, status: int = 200) -> str:
        """Return a page's text."""
        answer = self.ask(path)
        assert answer.status == status, answer.text
        return answer.text


def text_of(page: str) -> str:
    """Return what a person reads: no tags, single spaces."""
    shown = re.sub(r"<(title|desc)>.*?</\1>", " ", page, flags=re.DOTALL)
    shown = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", shown)).split())
    return re.sub(r" ([,.:;])(?= |$)", r"\1", shown)
