"""Events on their way to functions, written down until what they did is written down too.

Lambda keeps an event in a queue of its own until the function has had it. MiniStack's threads end
with it: without this, an upload in its last moments would start no run.
"""

import json
import threading
import uuid
from contextvars import copy_context
from pathlib import Path
from typing import Any


class Deliveries:
    """Events that functions have not had for certain.

    Args:
        folder: a file of each.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._left = sorted(folder.glob("*.json"))
        self._lock = threading.Lock()
        self._had: list[Path] = []

    def keep_from_now_on(self) -> None:
        """Take over the way of events from EventBridge to functions, and what saves the state."""
        from ministack import app
        from ministack.services import eventbridge

        save = app.save_all

        def save_and_forget(states: dict[str, Any]) -> None:
            with self._lock:
                had, self._had = self._had, []
            save(states)
            for path in had:
                path.unlink(missing_ok=True)

        app.save_all = save_and_forget
        eventbridge._dispatch_to_lambda = self.deliver

    def deliver(self, arn: str, payload: str) -> None:
        """Give a function an event, in a thread."""
        from ministack.core.responses import get_account_id, get_region

        path = self._folder / f"{uuid.uuid4()}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps([get_account_id(), get_region(), arn, payload]))
        part.rename(path)
        self._start(path, arn, payload)

    def deliver_what_was_left(self) -> None:
        """Give functions the events of an earlier process again; they can have had them."""
        from ministack.core.responses import set_request_account_id, set_request_region

        for path in self._left:
            account, region, arn, payload = json.loads(path.read_text())
            set_request_account_id(account)
            set_request_region(region)
            self._start(path, arn, payload)

    def _start(self, path: Path, arn: str, payload: str) -> None:
        work = copy_context().run
        threading.Thread(target=work, args=(self._give, path, arn, payload), daemon=True).start()

    def _give(self, path: Path, arn: str, payload: str) -> None:
        from ministack.services import lambda_svc

        function, config, _ = lambda_svc._get_func_record_for_ref(arn)
        if function and config:
            record = lambda_svc._execution_record_for_config(function, config)
            lambda_svc._execute_function_with_config_scope(record, json.loads(payload))
        with self._lock:
            self._had.append(path)
