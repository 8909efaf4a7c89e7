"""Parts that answers are made of."""

from collections.abc import Iterable, Mapping


def said_back(request: Mapping[str, object], names: Iterable[str]) -> dict[str, object]:
    """The members of a Create* request that its Describe* repeats, as far as they were given."""
    return {name: request[name] for name in names if name in request}


def present(**values: object) -> dict[str, object]:
    """The members that have a value: the service leaves the others out."""
    return {name: value for name, value in values.items() if value is not None}
