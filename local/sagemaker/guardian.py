"""End every child process when the server is gone, however it ended.

The server starts this program with a pipe as its standard input and puts every child into this
program's process group. The pipe's end means that the server is no more (``kill -9`` included):
then the whole group is killed. Unlike Linux's parent-death signal it works on macOS too, and it
does not depend on which thread started a child.

Run by path with ``python -I -S``: it imports nothing of the package and is up in milliseconds.
"""

import os
import signal
import sys


def main() -> None:
    """Wait for the end of standard input, then kill the own process group."""
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(stop, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
