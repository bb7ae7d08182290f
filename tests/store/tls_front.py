"""A TLS endpoint in front of a plain one, as a load balancer is: it passes on what comes in."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.support.certificates import Certificates

_PIECE_BYTES = 65_536


class TlsFront:
    """Speaks TLS on a free port of 127.0.0.1, and passes on to another port.

    Args:
        target: that other port.
        certificates: it shows the server's.
        asks_client: whether clients must show a certificate of the same authority.
    """

    def __init__(self, target: int, certificates: Certificates, *, asks_client: bool = False) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.server, certificates.server_key)
        if asks_client:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(certificates.authority)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with ExitStack() as stack, suppress(OSError):
            stack.enter_context(plain)
            plain.settimeout(10.0)
            outer = stack.enter_context(self._context.wrap_socket(plain, server_side=True))
            inner = stack.enter_context(socket.create_connection(("127.0.0.1", self._target)))
            back = threading.Thread(target=_pass_on, args=(inner, outer), daemon=True)
            back.start()
            _pass_on(outer, inner)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
