"""End every container process when the server is gone, however it ended.

The server and ``launcher`` write to this program's standard input: ``+<group>`` when a process
group begins, ``-<group>`` when it is over. The end of that pipe means that the server is no more
(``kill -9`` included): then every group that is left is killed, and this one. Unlike Linux's
parent-death signal it works on macOS too, and does not depend on which thread started a child.

Run by path with ``python -I -S``: it imports nothing of the package and is up in milliseconds.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Keep the list of groups until standard input ends, then kill them."""
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(stop, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        change = groups.add if line.startswith(b"+") else groups.discard
        change(int(line[1:]))
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
