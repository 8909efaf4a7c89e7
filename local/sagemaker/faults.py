"""What the API answers when it will not do what was asked.

::

    ServiceError
    ├── ValidationError       400 ValidationException   the request, or what it names, is wrong
    ├── ResourceInUseError    400 ResourceInUse         a job of that name exists
    ├── InvocationError       400 ValidationError       InvokeEndpoint's own word for it
    └── ModelError            424 ModelError            the container refused or broke

    JobError                  a job or an endpoint ends Failed, with this reason
"""

from collections.abc import Mapping

MACHINE_STOPPED = "InternalServerError: the machine stopped"
"""Why a job failed whose work ended with the process that did it."""
MAX_REASON = 1024
"""Length of ``FailureReason`` in the service model, in characters."""


class ServiceError(Exception):
    """An answer that is an error: a code, a message, an HTTP status and further fields."""

    def __init__(
        self, code: str, message: str, status: int = 400, fields: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.fields = dict(fields or {})


class ValidationError(ServiceError):
    """The request breaks the service model, or names something that is not there."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class ResourceInUseError(ServiceError):
    """A job of that name exists already."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUse", message)


class InvocationError(ServiceError):
    """InvokeEndpoint cannot find what it is asked for, or the request is too large."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationError", message)


class ModelError(ServiceError):
    """The container answered with an error, or not at all."""

    def __init__(
        self, message: str, original_status: int, original_message: str, log_group_arn: str
    ) -> None:
        fields = {
            "OriginalStatusCode": original_status,
            "OriginalMessage": original_message,
            "LogStreamArn": log_group_arn,
        }
        super().__init__("ModelError", message, 424, fields)


class JobError(Exception):
    """A job or an endpoint cannot go on.

    ``reason`` becomes its ``FailureReason``, so it says who must act: ``ClientError`` the caller,
    ``AlgorithmError`` the container's author.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason[:MAX_REASON]
