"""What is kept over the end of the emulator, and what is told of after it."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

logger = logging.getLogger("restarts")

INTERRUPTED = "States.ServiceRestart"
"""MiniStack's name for the error of an execution that its end interrupted."""
_SAVE_EVERY = 20.0


def tell_of_interrupted_executions() -> None:
    """Emit the status change of executions that were running when the emulator ended.

    MiniStack fails them as it starts, and tells nobody, so that their catalogs would wait for them.
    """
    from ministack.services import stepfunctions

    restore: Callable[[dict[str, Any]], None] = stepfunctions.load_persisted_state

    def restored(data: dict[str, Any]) -> None:
        running = [
            key
            for key, one in data.get("executions", {})._data.items()
            if one["status"] == "RUNNING"
        ]
        restore(data)
        if running:
            threading.Thread(target=tell, args=(running,), daemon=True).start()

    def tell(keys: list[tuple[str, str, str]]) -> None:
        from ministack.core.responses import set_request_account_id, set_request_region

        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER"):
            _wait_for(os.environ[name])
        for account, region, arn in keys:
            set_request_account_id(account)
            set_request_region(region)
            stepfunctions._emit_execution_status_event(stepfunctions._executions[arn])

    stepfunctions.load_persisted_state = restored


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


def keep_state_while_running() -> None:
    """Write the state down now and then, for an emulator that ends without notice.

    MiniStack writes it when it is told to stop; objects of S3 it writes at once.
    """
    from ministack import app
    from ministack.core.persistence import PERSIST_STATE, save_all

    if not PERSIST_STATE:
        return

    def save() -> None:
        saved = None
        while True:
            time.sleep(_SAVE_EVERY)
            states = app._build_persistence_save_dict()
            # Functions' code is most of it, and changes with deployments alone.
            deployed = _deployed()
            if deployed == saved:
                states.pop("lambda", None)
            save_all(states)
            saved = deployed

    threading.Thread(target=save, daemon=True).start()


def _deployed() -> list[tuple[object, ...]]:
    """What changes with each change of a function or layer."""
    from ministack.services import lambda_svc

    functions = list(lambda_svc._functions._data.items())
    layers = list(lambda_svc._layers._data.items())
    return [
        *((key, one["config"].get("RevisionId")) for key, one in functions),
        *((key, len(one["versions"])) for key, one in layers),
    ]
