"""``template.yaml`` as data: intrinsics resolved with the names that the testbed's stack has."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = "123456789012"
REGION = "us-east-1"
STACK = "matinee"

_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}

Block = dict[str, Any]
"""A mapping of the template, as YAML has it."""


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, resolved."""

    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Block


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as its long ones."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> Block:
    value: object
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


@cache
def load() -> Block:
    """Read the template, once; it must not be changed."""
    text = (ROOT / "template.yaml").read_text()
    return cast("Block", yaml.load(text, Loader=_Loader))  # noqa: S506  # a SafeLoader with more tags


def resources(kind: str | None = None) -> dict[str, Block]:
    """Name the resources of a type, or all of them."""
    found = cast("dict[str, Block]", load()["Resources"])
    return {name: one for name, one in found.items() if kind in (None, one["Type"])}


def functions() -> dict[str, Block]:
    """Name the functions, with their properties and those that they have from ``Globals``."""
    shared = load()["Globals"]["Function"]
    return {
        name: {**shared, **one["Properties"]}
        for name, one in resources("AWS::Serverless::Function").items()
    }


def environment(function: str) -> dict[str, str]:
    """Everything that a function's environment says."""
    shared = load()["Globals"]["Function"]["Environment"]["Variables"]
    own = functions()[function]["Environment"]["Variables"]
    return {name: str(resolve(value)) for name, value in {**shared, **own}.items()}


def substitutions(machine: str = "RetrainMachine") -> dict[str, str]:
    """What a state machine's definition is completed with."""
    given = resources("AWS::Serverless::StateMachine")[machine]["Properties"]
    return {name: str(resolve(value)) for name, value in given["DefinitionSubstitutions"].items()}


def policy(name: str) -> list[Statement]:
    """Everything that a function, a state machine or a role may do."""
    documents = [
        one.get("PolicyDocument", one) for one in resources()[name]["Properties"]["Policies"]
    ]
    return [_statement(one) for document in documents for one in document["Statement"]]


def statements() -> Iterator[tuple[str, Statement]]:
    """Every statement of every policy, with the name of the resource that has it."""
    for name, resource in resources().items():
        for document in _documents(resource["Properties"]):
            for one in document["Statement"]:
                yield name, _statement(one)


def resolve(value: Any) -> Any:  # whatever stands in a template
    """Replace intrinsics by what they stand for in the testbed's stack."""
    if isinstance(value, list):
        return [resolve(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        (name, argument), *_ = value.items()
        if name in _INTRINSICS:
            return _INTRINSICS[name](argument)
    return {key: resolve(one) for key, one in value.items()}


def _statement(one: Block) -> Statement:
    return Statement(
        sid=one.get("Sid", ""),
        effect=one["Effect"],
        actions=tuple(_listed(resolve(one["Action"]))),
        resources=tuple(_listed(resolve(one.get("Resource", [])))),
        condition=resolve(one.get("Condition", {})),
    )


def _documents(value: object) -> Iterator[Block]:
    """Find policy documents, however deep they lie."""
    if isinstance(value, Mapping):
        if "Statement" in value:
            yield cast("Block", value)
        for one in value.values():
            yield from _documents(one)
    elif isinstance(value, list):
        for one in value:
            yield from _documents(one)


def _listed(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _ref(name: str) -> object:
    if name in _PSEUDO:
        return _PSEUDO[name]
    if name in load()["Parameters"]:
        return load()["Parameters"][name]["Default"]
    kind = resources()[name]["Type"]
    if kind in ("AWS::Serverless::StateMachine", "AWS::SNS::Topic"):
        return _get_att([name, "Arn"])
    if kind == "AWS::SQS::Queue":
        return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{_physical(name)}"
    return _physical(name)


def _get_att(path: list[str]) -> str:
    name, attribute = path
    if attribute == "QueueName":
        return _physical(name)
    assert attribute == "Arn", path
    kind = resources()[name]["Type"]
    service, form = {
        "AWS::S3::Bucket": ("s3", "arn:aws:s3:::{}"),
        "AWS::DynamoDB::Table": ("dynamodb", "table/{}"),
        "AWS::Serverless::Function": ("lambda", "function:{}"),
        "AWS::Serverless::StateMachine": ("states", "stateMachine:{}"),
        "AWS::SNS::Topic": ("sns", "{}"),
        "AWS::SQS::Queue": ("sqs", "{}"),
        "AWS::IAM::Role": ("iam", f"arn:aws:iam::{ACCOUNT}:role/{{}}"),
        "AWS::Events::Rule": ("events", "rule/{}"),
        "AWS::Logs::LogGroup": ("logs", "log-group:{}:*"),
    }[kind]
    tail = form.format(_physical(name))
    return tail if tail.startswith("arn:") else f"arn:aws:{service}:{REGION}:{ACCOUNT}:{tail}"


def _physical(name: str) -> str:
    """A resource's own name: the one that the template gives it, or one made from its id."""
    properties = resources()[name].get("Properties", {})
    for key in ("FunctionName", "Name", "LogGroupName"):
        if key in properties:
            return str(resolve(properties[key]))
    return f"{STACK}-{name.lower()}"


def _sub(text: str) -> str:
    def value(match: re.Match[str]) -> str:
        name, _, attribute = match[1].partition(".")
        return str(_get_att([name, attribute]) if attribute else _ref(name))

    return re.sub(r"\$\{([^}]+)\}", value, text)


def _if(arguments: list[object]) -> object:
    condition, yes, no = arguments
    return resolve(yes if _holds(load()["Conditions"][condition]) else no)


def _holds(condition: Block) -> bool:
    ((name, arguments),) = condition.items()
    if name == "Fn::Equals":
        left, right = resolve(arguments)
        return bool(left == right)
    assert name == "Fn::Not", name
    return not _holds(arguments[0])


def _find_in_map(arguments: list[object]) -> object:
    table, first, second = resolve(arguments)
    return load()["Mappings"][table][first][second]


_INTRINSICS: dict[str, Callable[[Any], object]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
}
