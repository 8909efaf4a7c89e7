"""What functions receive, kept for ``tests/events`` and ``sam local``."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


def record_events(folder: Path) -> None:
    """Keep what each function received last, as ``<its name>.json``."""
    from ministack.services import lambda_svc

    run: Callable[..., dict[str, Any]] = lambda_svc._execute_function_warm

    def with_record(function: dict[str, Any], event: object, *rest: object) -> dict[str, Any]:
        name = (function.get("config") or function)["FunctionName"]
        # Renamed when whole: functions run at the same time, and may be looked at meanwhile.
        part = folder / f"{name}.{threading.get_ident()}"
        part.write_text(json.dumps(event, indent=2) + "\n")
        part.replace(folder / f"{name}.json")
        return run(function, event, *rest)

    lambda_svc._execute_function_warm = with_record
