"""Certificates for tests, made anew each time with ``openssl``: an authority, a server's and a client's."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SERVER_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True)
class Certificates:
    """PEM files in one folder. Keys are not encrypted; a ``*_both`` file holds a key and its certificate."""

    folder: Path

    @property
    def authority(self) -> Path:
        """What clients trust."""
        return self.folder / "authority.pem"

    @property
    def server(self) -> Path:
        """The certificate of localhost and 127.0.0.1."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"

    @property
    def server_both(self) -> Path:
        return self.folder / "server-both.pem"

    @property
    def client(self) -> Path:
        """The certificate of a client by the name of ``client``."""
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and what it signs, valid for two days. A second call on a folder changes nothing."""
    made = Certificates(folder)
    if made.server_both.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    # What each may be used for: without that, clients that check strictly refuse it.
    signs = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _request(folder, "authority", "-x509", "-subj", "/CN=driftline test authority", *signs)
    signed = ["-x509", "-CA", "authority.pem", "-CAkey", "authority.key"]
    usage = "keyUsage=critical,digitalSignature,keyEncipherment"
    leaf = [*signed, "-addext", "basicConstraints=critical,CA:FALSE", "-addext", usage, "-addext"]
    _request(folder, "server", "-subj", "/CN=localhost", *leaf, SERVER_NAMES)
    _request(folder, "client", "-subj", "/CN=client", *leaf, "extendedKeyUsage=clientAuth")
    made.server_both.write_text(made.server_key.read_text() + made.server.read_text())
    return made


def _request(folder: Path, name: str, *arguments: str) -> None:
    command = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", f"{name}.key"]
    done = subprocess.run(
        [*command, "-out", f"{name}.pem", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
