"""Check requests against SageMaker's own service model, in the service's own words.

botocore's validator knows types and required members. The service also enforces patterns,
lengths, ranges and enumerations, which the model carries and clients do not check: those are
where a template that works on a laptop would fail on AWS.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator

from local.sagemaker.faults import ServiceError, ValidationError

# Java's character classes, as far as these models use them, for use inside [...] in Python.
# \w stands for letters and digits of any script; it also takes "_", which each such class allows.
_JAVA_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{ASCII}": r"\x00-\x7f",
    r"\p{Print}": r"\x20-\x7e",
}


@functools.cache
def service_model(name: str) -> ServiceModel:
    """The model of an AWS service, as the installed botocore knows it."""
    return get_session().get_service_model(name)


def read_request(operation: str, body: bytes) -> Mapping[str, object]:
    """Parse and check the body of a control-plane call.

    Args:
        operation: an operation of SageMaker, such as ``CreateTrainingJob``.
        body: the JSON body; empty means no members.

    Returns:
        The request, equal in shape to the operation's input.

    Raises:
        ServiceError: ``SerializationException``, the body is not a JSON object.
        ValidationError: it breaks the model; every broken constraint is named.
    """
    try:
        request = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise ServiceError("SerializationException", "The body is not a JSON object.")
    shape = service_model("sagemaker").operation_model(operation).input_shape
    if shape is None:
        return request
    problems = list(_problems(shape, request, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' * (len(problems) > 1)} detected"
        raise ValidationError(f"{count}: {'; '.join(problems)}")
    types = ParamValidator().validate(request, shape)
    if types.has_errors():
        raise ValidationError(types.generate_report())
    return request


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of the service model (Java's dialect) as one of Python's."""
    for java, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(f"[{java}]", f"[{python}]").replace(java, python)
    return re.compile(pattern.replace(r"\z", r"\Z"))


def _problems(shape: Shape, value: object, where: str) -> Iterator[str]:
    """Every broken constraint of a value. One of a wrong type is left to botocore's validator."""
    yield from _own_problems(shape, value, where)
    for part, member, place in _members(shape, value, where):
        yield from _problems(part, member, place)


def _own_problems(shape: Shape, value: object, where: str) -> Iterator[str]:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name in shape.required_members:
            if value.get(name) is None:
                yield _broken(None, _join(where, name), "not be null")
    elif isinstance(value, str | list | Mapping):
        yield from _length_problems(shape, value, where)
        if isinstance(shape, StringShape) and isinstance(value, str):
            yield from _text_problems(shape, value, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _range_problems(shape, value, where)


def _members(shape: Shape, value: object, where: str) -> Iterator[tuple[Shape, object, str]]:
    """What a value consists of: each part's shape, the part, and its place."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield member, value[name], _join(where, name)
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for index, member in enumerate(value, 1):
            yield shape.member, member, f"{where}.{index}.member"
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for key, member in value.items():
            yield shape.key, key, f"{where}.key"
            yield shape.value, member, f"{where}.{key}.member"


def _text_problems(shape: StringShape, value: str, where: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if shape.enum and value not in shape.enum:
        yield _broken(value, where, f"satisfy enum value set: [{', '.join(shape.enum)}]")
    if pattern and not compiled(pattern).fullmatch(value):
        yield _broken(value, where, f"satisfy regular expression pattern: {pattern}")


def _length_problems(
    shape: Shape, value: Sequence[object] | Mapping[str, object], where: str
) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        yield _broken(value, where, f"have length greater than or equal to {least}")
    if most is not None and len(value) > most:
        yield _broken(value, where, f"have length less than or equal to {most}")


def _range_problems(shape: Shape, value: float, where: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield _broken(value, where, f"have value greater than or equal to {least}")
    if most is not None and value > most:
        yield _broken(value, where, f"have value less than or equal to {most}")


def _broken(value: object, where: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{where}' failed to satisfy constraint: Member must {constraint}"


def _join(where: str, name: str) -> str:
    name = name[:1].lower() + name[1:]
    return f"{where}.{name}" if where else name
