"""Who a request says it is for: a foreign page can have a browser ask this host, under a name of its own.

That is DNS rebinding. It takes a name, so what asks for an address, or for this host by its loopback name, is
none.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK = "localhost"
_REFUSAL = "no host of that name here; DRIFTLINE_ALLOWED_HOSTS or --allowed-host says which names there are\n"


class AllowedHosts:
    """Answers requests for addresses, for ``localhost`` and for the names that are given; refuses others.

    Args:
        app: what answers.
        names: besides; ``*.example.com`` allows every name below it, ``*`` every name.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str] = ()) -> None:
        self._app = app
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "http" and not self._allows(_host(Headers(scope=scope).get("host", ""))):
            await PlainTextResponse(_REFUSAL, status_code=421)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _allows(self, host: str) -> bool:
        if host == _LOOPBACK or host.endswith(f".{_LOOPBACK}") or _is_address(host):
            return True
        above = {f"*{host[place:]}" for place, character in enumerate(host) if character == "."}
        return bool(host) and not self._names.isdisjoint({host, "*"} | above)


def _host(header: str) -> str:
    """Return the host of a Host header, without its port."""
    name = header.strip().lower()
    host = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return host.rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
