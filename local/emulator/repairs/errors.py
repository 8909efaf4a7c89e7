"""Exceptions of functions under their own names."""

from collections.abc import Callable
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
