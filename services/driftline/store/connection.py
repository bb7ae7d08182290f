"""A connection to a store: what every statement goes through, and the one kind of error that it raises."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Self

from clickhouse_connect.driver import options
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from driftline.errors import StatementError, StoreAwayError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from clickhouse_connect.datatypes.base import ClickHouseType
    from clickhouse_connect.driver.client import Client

_CHUNK_BYTES = 1 << 20
_MOST_LISTED = 3 << 18
"""Of more than 1 MiB a server takes no address, and in such a list an engine may find nothing, in silence."""
_SURELY_SHORT = 1_000


class Connection:
    """Asks one database. For one thread, which closes it.

    Every method blocks for the store, and raises StatementError where the store refuses what it is asked,
    StoreAwayError where it does not answer, and StoreError for whatever else goes wrong.

    Args:
        client: of clickhouse-connect; closed with the connection.
        database: that holds driftline's tables.
    """

    def __init__(self, client: Client, database: str) -> None:
        self._client = client
        client.database = database
        self.database = database
        self._types: dict[tuple[str, tuple[str, ...]], Sequence[ClickHouseType]] = {}

    def rows(
        self,
        query: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        formats: Mapping[str, str] | None = None,
    ) -> Sequence[Sequence[Any]]:
        """Return all rows that a query gives.

        Args:
            query: SQL, with parameters as ``{name:Type}``.
            parameters: their values.
            settings: of the engine, for this query.
            formats: of columns, by name, such as ``bytes`` for a String that is no text.
        """
        with _store_errors():
            return self._client.query(
                query,
                parameters=_bound(parameters),
                settings=_dict(settings),
                column_formats=_dict(formats),
            ).result_rows

    def named_rows(self, query: str, parameters: Mapping[str, Any] | None = None) -> Sequence[dict[str, Any]]:
        """Return all rows that a query gives, each by the names of its columns."""
        with _store_errors():
            return list(self._client.query(query, parameters=_bound(parameters)).named_results())

    def command(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        use_database: bool = True,
    ) -> Any:
        """Carry out a statement; return the single value that it gives, if it gives one.

        Args:
            statement: SQL, with parameters as ``{name:Type}``.
            parameters: their values.
            settings: of the engine, for this statement.
            use_database: False where the database may not be there yet.
        """
        with _store_errors():
            return self._client.command(
                statement, parameters=_bound(parameters), settings=_dict(settings), use_database=use_database
            )

    def insert_selected(
        self, statement: str, parameters: Mapping[str, Any], *, settings: Mapping[str, int]
    ) -> None:
        """Carry out an ``INSERT INTO ... SELECT``.

        Args:
            statement: SQL, with parameters as ``{name:Type}``.
            parameters: their values.
            settings: of the engine. They stand in the statement: beside it, an embedded engine would be asked
                for all of them, would set each, and set each back.
        """
        clause = ", ".join(f"{name} = {value}" for name, value in settings.items())
        self.command(f"{statement}\nSETTINGS {clause}", parameters)

    def insert(
        self,
        table: str,
        data: Sequence[Sequence[Any]],
        *,
        column_names: Sequence[str],
        column_oriented: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Insert rows, or columns where ``column_oriented``, as one block, with settings of the engine."""
        names = list(column_names)
        place = table, tuple(names)
        with _store_errors(f"the store did not take rows of {table}"):
            # Asked for once: asking takes an embedded engine as long as many an insert.
            types = self._types.pop(place, None)
            if types is None:
                types = self._client.create_insert_context(table, names).column_types
            self._client.insert(
                table,
                data,
                column_names=names,
                column_types=types,
                column_oriented=column_oriented,
                settings=_dict(settings),
            )
            self._types[place] = types

    def insert_avro(
        self, table: str, columns: Sequence[str], container: bytes, *, settings: Mapping[str, Any]
    ) -> None:
        """Insert the records of one Avro container file. It is sent once, whatever becomes of it."""
        # The client would send bytes twice when a connection breaks, and take the second answer for both.
        view: Any = memoryview(container)
        with _store_errors(f"the store did not take a block of {table}"):
            self._client.raw_insert(table, columns, view, dict(settings), fmt="Avro")

    def write(
        self,
        query: str,
        file: IO[bytes],
        *,
        fmt: str,
        parameters: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Write what a query gives into a file, in one of the engine's formats, as it comes."""
        with (
            _store_errors(),
            self._client.raw_stream(
                query, parameters=_bound(parameters), settings=_dict(settings), fmt=fmt
            ) as answer,
        ):
            shutil.copyfileobj(answer, file, _CHUNK_BYTES)

    def set(self, settings: Mapping[str, str]) -> None:
        """Have settings of the engine hold for all that is asked from now on."""
        for name, value in settings.items():
            self._client.set_client_setting(name, value)

    def close(self) -> None:
        """Let go of the store."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def refuse_frames() -> None:
    """Have clickhouse-connect take no frames of pandas in this process, from now on.

    At its first insert it imports pandas, half a second of CPU and 60 MB, only to see that it was given none.
    For processes that are driftline's alone: the driver's own functions for frames then say that pandas is
    missing.
    """
    vars(options).update(pd=None, pd_time_test=None)


@contextmanager
def _store_errors(failed: str = "the store refused") -> Iterator[None]:
    """Raise what goes wrong inside as a StoreError, which begins with what failed."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        raise _store_error(error, failed) from error


def _store_error(error: ClickHouseError | OSError, failed: str) -> StoreError:
    code = error.code if isinstance(error, DatabaseError) else None
    if code is not None:
        return StatementError(failed, code=code, detail=str(error))
    if isinstance(error, (OperationalError, OSError)):
        return StoreAwayError(f"the store does not answer: {root_cause(error)}")
    return StoreError(f"{failed}: {error}")


def root_cause(error: BaseException) -> BaseException:
    """Return what an error comes from in the end: drivers wrap a refused connection many times."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _bound(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return parameters for the client.

    Raises:
        StoreError: one of them is a list that is too long.
    """
    for name, value in (values or {}).items():
        is_long = isinstance(value, list | tuple) and len(value) > _SURELY_SHORT
        if is_long and (size := len(str(value).encode(errors="replace"))) > _MOST_LISTED:
            raise StoreError(
                f"the statement was not sent: parameter {name} lists {len(value)} values in {size} bytes; "
                f"the store takes {_MOST_LISTED} at once"
            )
    return _dict(values)


def _dict(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else dict(values)
