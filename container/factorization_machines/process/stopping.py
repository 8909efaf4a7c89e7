"""End at SIGTERM, whatever the process is doing at that moment.

An exception raised by a signal handler is not enough: the handler waits until compiled code
returns, and where LLVM calls back into Python the exception is printed and lost, so that the job
goes on until it is killed. Here the signal wakes a thread, which ends the process.

This module imports nothing slow, so that a job listens before it loads what it needs.
"""

import os
import signal
import sys
import threading

STOPPED = 128 + signal.SIGTERM
"""The exit status of a stopped job."""

no_stop = threading.Lock()
"""Held while files are written that must be whole or absent: a stop waits for it."""


def end_at_sigterm() -> None:
    """From now on SIGTERM ends this process with ``STOPPED``. Call it once, in the main thread."""
    signalled, wake_up = os.pipe()
    os.set_blocking(wake_up, False)
    # The interpreter writes a signal's number here at once, before any handler has its turn.
    signal.set_wakeup_fd(wake_up)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    threading.Thread(target=_wait, args=(signalled,), daemon=True).start()


def _wait(signalled: int) -> None:
    while os.read(signalled, 1) != bytes([signal.SIGTERM]):
        pass
    with no_stop:
        sys.stdout.write("stopped by SIGTERM\n")
        sys.stdout.flush()
        os._exit(STOPPED)
