"""Which path a request is for, whatever its parameters hold."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


def routable(event: dict[str, Any]) -> dict[str, Any]:
    """Give a request a path that routes match: each parameter percent-encoded.

    API Gateway matches a request to a resource itself, and hands the parameters over decoded. Its
    path may hold them decoded as well, with slashes, quotation marks and whatever else an id is
    made of, so the path is made anew from the resource and the parameters.
    """
    parameters = event.get("pathParameters")
    resource = event.get("resource")
    if not isinstance(parameters, Mapping) or not isinstance(resource, str):
        return event
    path = resource
    for name, value in parameters.items():
        encoded = quote(str(value), safe="", errors="backslashreplace")
        path = path.replace("{" + str(name) + "}", encoded or "%20")
    return {**event, "path": path}
