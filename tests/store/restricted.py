"""ClickHouse's engine with its access control: the gateway over a store whose one user holds given grants.

The engine in the process knows one user, ``default``. A configuration gives that user the grants of a role,
and no others; the engine then refuses what a server would refuse, and writes down which privileges each query
used.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self
from xml.sax.saxutils import escape

from driftline.embedded import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERYTHING = ""
TOKEN = "pass-text"

_USERS = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users>
<default><no_password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
{grants}</default>
</users></clickhouse>"""

_CONFIG = """<clickhouse><users_config>{users}</users_config>
<query_log><database>system</database><table>query_log</table></query_log></clickhouse>"""
# For the test itself: to read what was used.
_TEST_GRANTS = "SELECT ON system.query_log, SYSTEM FLUSH LOGS ON *.*"


@dataclass
class Restricted:
    """A server in a process of its own, which lets its user do what the grants say.

    Args:
        folder: where the engine keeps its data, for one server after the other.
        grants: ``GRANT`` without ``TO``; EVERYTHING: the engine's own user, who may do everything.
    """

    folder: Path
    grants: str
    _process: subprocess.Popen[str] = field(init=False)
    port: int = field(init=False)

    @property
    def url(self) -> str:
        return f"clickhouse://someone:{TOKEN}@127.0.0.1:{self.port}/driftline"

    def __enter__(self) -> Self:
        config = self._configure()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.restricted", str(self.folder / "engine"), str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = json.loads(self._process.stdout.readline())
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate(timeout=60)

    def _configure(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        users, config = (self.folder / f"{kind}.xml" for kind in ("users", "config"))
        query = escape(f"{self.grants}, {_TEST_GRANTS}")
        grants = f"<grants><query>{query}</query></grants>" if self.grants else ""
        users.write_text(_USERS.format(grants=grants))
        config.write_text(_CONFIG.format(users=users))
        return config

    def used(self) -> set[str]:
        """Return which privileges queries used until now, as ``INSERT(n), SELECT(n) ON driftline.t``."""
        with open_store(self.url) as store, closing(store.connect()) as client:
            client.command("SYSTEM FLUSH LOGS")
            rows = client.rows(
                "SELECT DISTINCT arrayJoin(used_privileges) FROM system.query_log "
                "WHERE NOT has(tables, 'system.query_log') AND query NOT LIKE 'SYSTEM FLUSH LOGS%'"
            )
        return {row[0] for row in rows}


def serve(arguments: Sequence[str]) -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", type=Path)
    parser.add_argument("config")
    options = parser.parse_args(arguments)
    import chdb  # noqa: PLC0415  not for those who only start this

    from driftline.embedded.gateway import Gateway  # noqa: PLC0415  it brings the engine

    options.engine.mkdir(parents=True, exist_ok=True)
    keeper = chdb.connect(f"{options.engine.resolve()}?config-file={options.config}")
    gateway = Gateway(options.engine, token=TOKEN, reader_token="reader")
    gateway.start()
    print(gateway.port, flush=True)  # noqa: T201  its answer
    sys.stdin.read()
    gateway.stop()
    keeper.close()


if __name__ == "__main__":
    serve(sys.argv[1:])
