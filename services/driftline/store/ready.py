"""Connections to a store that is ready: reached, whoever owns it by now, and with its tables up to date."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from driftline.errors import StoreAwayError, StoreError
from driftline.store.connect import no_store
from driftline.store.migrate import has_tables, migrate, missing_migrations

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.store.connect import Store, Use
    from driftline.store.connection import Connection

T = TypeVar("T")

_PAUSE_S = 0.1
_PATIENCE_S = 10.0


def ready_connection(
    store: Store, *, first: Callable[[Connection], object] | None = None, patience_s: float = _PATIENCE_S
) -> Connection:
    """Return a connection to a store whose tables are up to date. The caller closes it.

    An embedded store goes from one owner to the next when a process ends. Where that happens meanwhile,
    blocks for up to ``patience_s`` and begins again with the next owner.

    Args:
        store: which.
        first: is asked or done with the connection before it is returned, and bears repeating.
        patience_s: for how long to try again.

    Raises:
        StoreError: the store does not answer, or its tables are missing or older than this program and the
            user may not change that, or they are newer.
    """
    return _patiently(lambda: _prepared(store, first), patience_s)


def ask(
    store: Store, question: Callable[[Connection], T], *, use: Use = "make", patience_s: float = _PATIENCE_S
) -> T:
    """Return the answer to a question that bears repeating, asked of tables that are up to date.

    Args:
        store: whom.
        question: is asked anew with the next owner of an embedded store, where this one goes meanwhile.
        use: only ``make`` makes tables where there were none.
        patience_s: for how long to try again.

    Raises:
        StoreError: as ``ready_connection``, or there are no tables.
    """

    def prepared(connection: Connection) -> T:
        if use != "make" and not has_tables(connection):  # An owner that is coming up may be making them.
            raise StoreAwayError(no_store(f"{connection.database}, where there are no tables"))
        migrate(connection)
        return question(connection)

    return act(store, prepared, patience_s=patience_s)


def act(store: Store, action: Callable[[Connection], T], *, patience_s: float) -> T:
    """Do something that bears repeating with a connection of its own, whatever the tables are like.

    Args:
        store: in which.
        action: is done anew with the next owner of an embedded store, where this one goes meanwhile.
        patience_s: for how long to try again.

    Raises:
        StoreAwayError: the store does not answer.
        StoreError: it can't be used.
    """

    def once() -> T:
        with store.connect() as connection:
            return action(connection)

    return _patiently(once, patience_s)


def check_store(store: Store) -> None:
    """Check that a store answers and that its tables are up to date. Changes nothing, and tries once.

    Raises:
        StoreError: it does not answer, or its tables are missing, older than this program, or newer.
    """
    with store.connect() as connection:
        missing = missing_migrations(connection)
    if missing:
        first = f"{missing[0].number:04d}_{missing[0].name}"
        raise StoreError(f"the store's tables are missing or old, from {first} on; run `driftline migrate`")


def is_away(connection: Connection, error: Exception) -> bool:
    """Return whether an error comes of a store that answers nothing at all, and not of what it was asked."""
    if not isinstance(error, (StoreError, OSError)):
        return False
    try:
        connection.rows("SELECT 1")
    except StoreError:
        return True
    return False


def _prepared(store: Store, first: Callable[[Connection], object] | None) -> Connection:
    connection = store.connect()
    try:
        migrate(connection)
        if first is not None:
            first(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _patiently(action: Callable[[], T], patience_s: float) -> T:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return action()
        except StoreAwayError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_S)
