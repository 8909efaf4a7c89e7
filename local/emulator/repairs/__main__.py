"""Run MiniStack, repaired."""

import os
import signal
import tempfile
import threading
import time
from pathlib import Path

from local.emulator.repairs import code, concurrency, errors, events, listings, restarts

_GRACE_SECONDS = 30.0


def end_with(parent: int) -> None:
    """End this process when its starter is gone, however that ended; it saves its state first."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Serve until told to stop."""
    from ministack.app import main as serve

    end_with(os.getppid())
    errors.name_errors_by_their_class()
    if recording := os.environ.get("MATINEE_RECORD_EVENTS"):
        events.record_events(Path(recording))
    concurrency.bound_concurrency()
    code.share_code(Path(tempfile.gettempdir()))
    listings.encode_keys_of_versions()
    restarts.go_on()
    serve()


if __name__ == "__main__":
    main()
