"""Copies what an MLflow's store holds, by MLflow's own client.

Run: python read_store.py STORE LOG
"""

from __future__ import annotations

import sys
from contextlib import closing

from driftline.log import open_log
from driftline.mlflow.client import open_client
from driftline.mlflow.sync import Sync


def main() -> None:
    """Copy it once."""
    store, log_url = sys.argv[1:]
    with open_log(log_url) as log, closing(Sync(open_client(store), log)) as sync:
        done = sync.run()
    print(done)  # noqa: T201  for whoever looks at a failure


if __name__ == "__main__":
    main()
