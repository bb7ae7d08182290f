"""Landers to be killed: forked from this process, which has everything imported and no engine running.

Reads folders from standard input, a line each; answers with the process id of a child that is stopped. When
it is continued, the child lands what the folder's log holds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from tests.support.landing import Landing
from tests.support.running import Place

_PR_SET_PTRACER = 0x59616D61


def land(folder: str) -> None:
    """Wait to be traced and continued, then land."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)  # By any process of this user.
    os.kill(os.getpid(), signal.SIGSTOP)
    landing = Landing(Place(Path(folder)))
    landing.lander.run_until_idle()
    landing.close()


def main() -> None:
    """Fork a lander for each line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody asks how they ended.
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            land(line.strip())
            os._exit(0)
        os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOWAIT)
        print(child, flush=True)  # noqa: T201  its answer


if __name__ == "__main__":
    main()
