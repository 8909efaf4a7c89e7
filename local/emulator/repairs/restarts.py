"""What is kept over the end of the emulator."""

import contextlib
import os
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from local.emulator.repairs.deliveries import Deliveries

_SAVE_EVERY = 20.0


def go_on() -> None:
    """Keep the state while running, and go on with what an earlier process did not end.

    MiniStack writes its state when it is told to stop, and objects of S3 at once.
    """
    from ministack import app
    from ministack.core.persistence import PERSIST_STATE, STATE_DIR

    if not PERSIST_STATE:
        return
    deliveries = Deliveries(Path(STATE_DIR) / "deliveries")
    deliveries.keep_from_now_on()

    def work() -> None:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER"):
            _wait_for(os.environ[name])
        deliveries.deliver_what_was_left()
        saved = None
        while True:
            time.sleep(_SAVE_EVERY)
            states = app._build_persistence_save_dict()
            # Functions' code is most of it, and changes with deployments alone.
            deployed = _deployed()
            if deployed == saved:
                states.pop("lambda", None)
            app.save_all(states)
            saved = deployed

    threading.Thread(target=work, daemon=True).start()


def _wait_for(url: str) -> None:
    """Wait until something listens there: who is told calls both servers."""
    place = urlsplit(url)
    while True:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((place.hostname or "", place.port or 80), 1),
        ):
            return
        time.sleep(0.1)


def _deployed() -> list[tuple[object, ...]]:
    """What changes with each change of a function or layer."""
    from ministack.services import lambda_svc

    functions = list(lambda_svc._functions._data.items())
    layers = list(lambda_svc._layers._data.items())
    return [
        *((key, one["config"].get("RevisionId")) for key, one in functions),
        *((key, len(one["versions"])) for key, one in layers),
    ]
