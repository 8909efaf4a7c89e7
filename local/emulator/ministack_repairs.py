"""Run MiniStack with what it still lacks for us. Executed by the emulator's own interpreter.

Each repair is one function here, and has a test in ``tests/e2e/test_failures.py`` that
fails without it. Imports nothing but MiniStack and the standard library.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def error_class(message: str, log: str) -> str | None:
    """Find the exception's class name at the end of a traceback.

    Args:
        message: ``str(exception)``.
        log: a worker's log, which ends with ``traceback.format_exc()``.
    Returns:
        The bare class name, as Lambda reports it, or None where there is no traceback.
    """
    text = log.rstrip("\n")
    if "Traceback (most recent call last)" not in text:
        return None
    body = text.removesuffix(message.rstrip("\n")).rstrip() if message else text
    name = body.removesuffix(":").rsplit("\n", 1)[-1].strip()
    bare = name.rsplit(".", 1)[-1]
    return bare if bare.isidentifier() else None


def name_errors_by_their_class() -> None:
    """Let exceptions reach Step Functions under their class name, as on AWS.

    MiniStack calls every one ``Runtime.HandlerError``, so that Retry and Catch by name would
    never match.
    """
    from ministack.services import lambda_svc

    run: Callable[..., dict[str, Any]] = lambda_svc._execute_function_warm

    def with_class_names(*args: object, **kwargs: object) -> dict[str, Any]:
        result = run(*args, **kwargs)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict):
            name = error_class(body.get("errorMessage", ""), result.get("log", ""))
            if name is not None and body.get("errorType") == "Runtime.HandlerError":
                body["errorType"] = name
        return result

    lambda_svc._execute_function_warm = with_class_names


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


def end_with(parent: int) -> None:
    """End this process when its starter is gone, however that ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    from ministack.app import main

    end_with(os.getppid())
    name_errors_by_their_class()
    if recording := os.environ.get("MATINEE_RECORD_EVENTS"):
        record_events(Path(recording))
    main()
