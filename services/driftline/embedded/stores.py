"""Opening a store: an embedded one as its owner, or through whoever owns it, or a server's."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.embedded.confinement import check_confined, confine
from driftline.embedded.owner import ENGINE_FOLDER, Owner, Ownership, is_there, read_owner
from driftline.errors import NotFoundError, StoreBusyError, StoreError
from driftline.store.connect import ServerStore, Store, first_line, no_store, open_engine
from driftline.store.url import EmbeddedUrl, ServerUrl, parse_store_url, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.embedded.gateway import Gateway
    from driftline.store.connect import Use
    from driftline.store.connection import Connection

_ENGINE_SETTINGS = "config.xml"
_PATIENCE_S = 10.0
# The engine starts with two threads: a deletion that finds both merging looks again a second later.
_ENGINE_OPTIONS: Mapping[str, Any] = {"background_pool_size": 8}
_PATIENT_SETTINGS: Mapping[str, str] = {"max_threads": "1"}


class OwnedStore(Store):
    """An embedded store that this process owns, and serves to others on loopback.

    Args:
        url: where it is.
        ownership: of its folder; released when the store is closed.

    Raises:
        StoreError: the engine can't be started.
        SettingError: the folder has a name that the engine does not take.
        OSError: the folder can't be written to.
    """

    def __init__(self, url: EmbeddedUrl, ownership: Ownership) -> None:
        _check_working_folder()
        self.database = url.database
        self._ownership = ownership
        self._engine_folder = url.folder / ENGINE_FOLDER
        self._options = {**_ENGINE_OPTIONS, **confine(url.folder)}
        self._opening_lock = threading.Lock()
        # The engine is loaded by its owner only, and may find too little memory for itself.
        try:
            from driftline.embedded.gateway import Gateway, inserts_folder  # noqa: PLC0415  see above
        except (MemoryError, RuntimeError, ImportError) as error:
            raise StoreError(_unloadable(error)) from error
        self._keeper = self._open()
        self._keeper.command(f"CREATE DATABASE IF NOT EXISTS {self.database}", use_database=False)
        check_confined(self._keeper)
        # The client of an engine in the process writes what it inserts to where temporary files go, and a
        # process that is killed leaves it there.
        self._temporary, tempfile.tempdir = tempfile.tempdir, str(inserts_folder(self._engine_folder))
        tokens = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._gateway: Gateway = Gateway(self._engine_folder, *tokens)
        self._gateway.start()
        ownership.announce(Owner("127.0.0.1", self._gateway.port, "driftline", *tokens, os.getpid()))

    def _open(self) -> Connection:
        return open_engine(self._engine_folder, self._options, database=self.database)

    def connect(self, *, patient: bool = False) -> Connection:
        """Return a new connection to the engine in this process.

        Raises:
            StoreError: the folder was deleted or replaced meanwhile.
        """
        self._ownership.check()
        with self._opening_lock:
            connection = self._open()
        if patient:
            connection.set(_PATIENT_SETTINGS)
        return connection

    def close(self) -> None:
        """Stop serving, close the engine, let the next owner in."""
        self._gateway.stop()
        tempfile.tempdir = self._temporary
        self._keeper.close()
        self._ownership.release()


def _unloadable(error: BaseException) -> str:
    """Say why there is no engine: not installed, or, where it is, mostly too little memory to map it."""
    if isinstance(error, ModuleNotFoundError):
        return f"an embedded store needs {error.name}; install it with: pip install 'driftline[embedded]'"
    while error.__context__ is not None:
        error = error.__context__
    return f"the embedded engine can't be loaded, for which it takes a GB of memory: {first_line(error)}"


class FollowingStore(Store):
    """An embedded store that another process owned when it was opened.

    When that owner is gone, the next connection comes from the one after it, which may be this process.
    """

    def __init__(self, url: EmbeddedUrl, owner: ServerStore, *, reads: bool) -> None:
        self.database = url.database
        self._url = url
        self._reads = reads
        self._current: ServerStore | OwnedStore = owner
        self._lock = threading.Lock()

    @property
    def is_owned(self) -> bool:
        """Whether this process has come to own the store."""
        return isinstance(self._current, OwnedStore)

    def connect(self, *, patient: bool = False) -> Connection:
        """Return a new connection. Blocks while the store goes from one owner to the next."""
        with self._lock:
            try:
                return self._current.connect(patient=patient)
            except StoreError:
                if self.is_owned:
                    raise
                self._current = _reach(self._url, patience_s=_PATIENCE_S, reads=self._reads)
                return self._current.connect(patient=patient)

    def close(self) -> None:
        """Let go of the store, if this process has come to own it."""
        self._current.close()


def open_store(
    url: str,
    *,
    environ: Mapping[str, str] | None = None,
    patience_s: float = _PATIENCE_S,
    use: Use = "make",
) -> Store:
    """Open the store at a URL.

    An embedded store has one owner. Where nobody owns it, this process becomes the owner; otherwise the
    store is reached through the owner, and through whoever owns it later. Blocks for up to ``patience_s``
    while the owner comes up or goes.

    Args:
        url: where it is.
        environ: where a server's user and password come from that the URL leaves out; the process's own
            unless given.
        patience_s: for how long to wait for an owner.
        use: what for. An embedded store that is not there is made by ``make`` alone; whoever comes to
            ``read`` gets it from an owner that lets nothing be changed.

    Raises:
        SettingError: the URL has no known form.
        NotFoundError: it is not to be made, and there is none.
        StoreBusyError: another process owns the store and does not answer.
        StoreError: the store can't be opened.
    """
    parsed = parse_store_url(url, environ)
    if isinstance(parsed, ServerUrl):
        return ServerStore(parsed)
    if use != "make" and not is_there(parsed.folder):
        raise NotFoundError(no_store(without_secrets(url)))
    reads = use == "read"
    reached = _reach(parsed, patience_s=patience_s, reads=reads)
    return FollowingStore(parsed, reached, reads=reads) if isinstance(reached, ServerStore) else reached


def _reach(parsed: EmbeddedUrl, *, patience_s: float, reads: bool) -> ServerStore | OwnedStore:
    """Become the owner of an embedded store, or find who is."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            parsed.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if ownership := Ownership.take(parsed.folder):
                return _own(parsed, ownership)
        except OSError as error:
            raise StoreError(
                f"the embedded store in {parsed.folder} can't be used: {error.strerror}"
            ) from error
        through_owner = _ask_owner(parsed, reads=reads)
        if through_owner is not None:
            return through_owner
        if time.monotonic() > deadline:
            owner = read_owner(parsed.folder)
            who = f"process {owner.process_id}" if owner else "not yet up"
            raise StoreBusyError(
                f"the embedded store in {parsed.folder} is owned by another process ({who}) that does not "
                "answer; stop it, or wait until it is up"
            )
        time.sleep(0.1)


def _own(url: EmbeddedUrl, ownership: Ownership) -> OwnedStore:
    try:
        return OwnedStore(url, ownership)
    except BaseException:
        ownership.release()
        raise


def _check_working_folder() -> None:
    """Refuse a file that the engine would take for its settings, unasked, whoever wrote it."""
    if os.path.lexists(_ENGINE_SETTINGS):
        raise StoreError(
            f"the embedded engine would take {Path.cwd() / _ENGINE_SETTINGS} for its own settings; start "
            "driftline in another folder"
        )


def _ask_owner(url: EmbeddedUrl, *, reads: bool) -> ServerStore | None:
    owner = read_owner(url.folder)
    if owner is None:
        return None
    store = ServerStore(
        ServerUrl(
            host=owner.host,
            port=owner.port,
            user=owner.user,
            password=owner.reader_token if reads else owner.token,
            database=url.database,
        ),
        is_owner=True,
    )
    try:
        store.connect().close()
    except StoreError:
        return None
    return store
