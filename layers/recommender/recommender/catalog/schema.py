"""``config.json`` against its schema: what stands there, or a sentence that says what is wrong."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import TypedDict

import fastjsonschema

from recommender.catalog.gate import GateSettings
from recommender.catalog.ranking import RankingSettings
from recommender.errors import InvalidConfigError, listed, shown
from recommender.formats.moments import DateOrder

MOST_BYTES = 1 << 20


class Split(TypedDict, total=False):
    """How the test set is set aside."""

    fraction: float
    last_per_user: int


class Feature(TypedDict, total=False):
    """One column of a side file."""

    kind: str
    separator: str
    bounds: list[float]


class Features(TypedDict, total=False):
    """Columns that become features, by name."""

    users: dict[str, Feature]
    items: dict[str, Feature]


class Training(TypedDict, total=False):
    """How the training job is given its data, and for how long."""

    max_seconds: int
    shards: int


class Lists(TypedDict, total=False):
    """How the lists of all users are written."""

    format: str
    titles: bool


class Scores(TypedDict, total=False):
    """How the scores of pair lists are written."""

    titles: bool


class Document(TypedDict, total=False):
    """``config.json`` as the schema lets it through."""

    columns: dict[str, str | int]
    separator: str
    quote: str
    escape: str
    comment: str
    missing: list[str | float]
    decimal: str
    date_order: DateOrder
    features: Features
    feedback: str
    events: dict[str, float]
    half_life_days: float
    like_threshold: float
    predictor_type: str
    hyperparameters: dict[str, str | float]
    models: list[str]
    ranking: RankingSettings
    split: Split
    top_n: int
    reject_limit: float
    gate: GateSettings
    training: Training
    recommendations: Lists
    scores: Scores


def read_document(key: str, data: bytes) -> Document:
    """Read ``config.json`` and check it against its schema.

    Args:
        key: the file's key, for messages.
        data: its bytes.

    Raises:
        InvalidConfigError: it is not JSON, breaks the schema, or has fields that are each right
            and do not go together; the error says where, what stands there and what is expected.
    """
    document = _load(key, data)
    try:
        settings = _validator()(document)
    except fastjsonschema.JsonSchemaValueException as error:
        raise InvalidConfigError(key, *_explain(error)) from None
    _check_together(key, settings)
    return settings


def _check_together(key: str, settings: Document) -> None:
    """Refuse fields that are each right and do not go together."""
    split = settings.get("split", Split())
    if len(split) > 1:
        raise InvalidConfigError(
            key, "$.split", f"{_shown(split)} is not allowed; expected fraction or last_per_user"
        )
    features = settings.get("features", Features())
    for side, wanted in (
        ("users", features.get("users", {})),
        ("items", features.get("items", {})),
    ):
        for name, column in wanted.items():
            bounds = column.get("bounds", [])
            if bounds != sorted(set(bounds)):
                raise InvalidConfigError(
                    key,
                    f"$.features.{side}.{shown(name)}.bounds",
                    f"{_shown(bounds)} is not allowed; expected ascending numbers",
                )
    weights = settings.get("ranking", RankingSettings()).get("weights", {})
    if len({float(rating) for rating in weights}) < len(weights):
        raise InvalidConfigError(
            key, "$.ranking.weights", f"{_shown(weights)} is not allowed; expected distinct ratings"
        )
    _check_marks(key, settings)
    columns = settings.get("columns", {})
    if "rating" in columns and "count" in columns:
        raise InvalidConfigError(
            key, "$.columns", f"{_shown(columns)} is not allowed; expected a rating or a count"
        )
    kinds = {isinstance(column, int) for column in columns.values()}
    if len(kinds) > 1:
        raise InvalidConfigError(
            key,
            "$.columns",
            f"{_shown(columns)} is not allowed; expected all names, or all numbers for files "
            "without a header",
        )
    if len(set(columns.values())) < len(columns):
        raise InvalidConfigError(
            key, "$.columns", f"{_shown(columns)} is not allowed; expected distinct columns"
        )


def _check_marks(key: str, settings: Document) -> None:
    """Refuse one character for two purposes."""
    separator, quote = settings.get("separator", ""), settings.get("quote", "")
    if quote and quote == separator:
        raise InvalidConfigError(key, "$.quote", f"{_shown(quote)} is the separator as well")
    escape = settings.get("escape", "")
    if escape and escape == separator:
        raise InvalidConfigError(key, "$.escape", f"{_shown(escape)} is the separator as well")
    if escape and settings.get("quote") == "":
        raise InvalidConfigError(
            key, "$.escape", f"{_shown(escape)} has no quotation mark to stand before"
        )


class _Objection(Exception):  # noqa: N818 - a message on its way, never seen outside
    """Something that JSON allows to be written and Matinee does not."""


def _load(key: str, data: bytes) -> object:
    if len(data) > MOST_BYTES:
        told = f"is {len(data):,} bytes long; at most {MOST_BYTES:,} are allowed"
        raise InvalidConfigError(key, "$", told)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidConfigError(key, "$", f"is not UTF-8 text (byte {error.start})") from None
    try:
        document: object = json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_number,
            parse_float=_finite,
        )
    except _Objection as objection:
        raise InvalidConfigError(key, "$", str(objection)) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidConfigError(key, where, f"is not JSON: {error.msg}") from None
    except (ValueError, RecursionError):  # an integer of thousands of digits; thousands of "["
        raise InvalidConfigError(key, "$", "is no sensible JSON document") from None
    return document


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name, times = Counter(name for name, _ in pairs).most_common(1)[0]
        raise _Objection(f"{_shown(name)} is given {times} times")
    return found


def _refuse_number(text: str) -> object:
    raise _Objection(f"{text} is not a number that JSON knows")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Objection(f"{_shown(text)} is too large for a number")
    return value


@cache
def _validator() -> Callable[[object], Document]:
    schema = resources.files(__package__).joinpath("schemas", "config.schema.json").read_bytes()
    validate: Callable[[object], Document] = fastjsonschema.compile(
        json.loads(schema), use_default=False
    )
    return validate


def _explain(error: fastjsonschema.JsonSchemaValueException) -> tuple[str, str]:
    """Turn a schema error into the JSON path and a sentence with value and expectation."""
    path = "$" + "".join(f".{shown(str(part))}" for part in error.path[1:])
    value, rule, limit = error.value, error.rule, error.rule_definition
    if rule == "additionalProperties":
        definition = error.definition
        patterns = definition.get("patternProperties", {})
        unknown = [
            name
            for name in value
            if name not in definition.get("properties", {})
            and not any(re.search(pattern, name) for pattern in patterns)
        ]
        if patterns and path.endswith(".weights"):
            expected = 'expected ratings such as "5" or "3.5"'
        elif patterns:
            expected = (
                "expected lower-case names; feature_dim and field_sizes follow from the data, "
                "predictor_type and like_threshold have fields of their own"
            )
        else:
            expected = "expected " + ", ".join(definition["properties"])
        return path, f"unknown field {listed([_shown(name) for name in unknown])}; {expected}"
    expectations = {
        "type": f"expected {_type_names(limit)}",
        "enum": f"expected {' or '.join(map(_shown, limit)) if rule == 'enum' else ''}",
        "minimum": f"expected at least {limit}",
        "maximum": f"expected at most {limit}",
        "exclusiveMinimum": f"expected more than {limit}",
        "exclusiveMaximum": f"expected less than {limit}",
        "minLength": f"expected {limit} character or more",
        "maxLength": f"expected at most {limit} characters",
        "maxProperties": f"expected at most {limit} fields",
        "minProperties": f"expected {limit} field or more",
        "minItems": f"expected {limit} entry or more",
        "maxItems": f"expected at most {limit} entries",
        "uniqueItems": "expected each entry once",
        "pattern": (
            "expected '::' or one character that is no letter, digit, quotation mark, '.', '+' or "
            "'-'"
            if path == "$.separator"
            else "expected one character that is no letter, digit or white space"
        ),
    }
    return path, f"{_shown(value)} is not allowed; {expectations.get(str(rule), error.message)}"


def _type_names(types: object) -> str:
    names = types if isinstance(types, list) else [types]
    return " or ".join(f"an {n}" if str(n)[0] in "aio" else f"a {n}" for n in names)


def _shown(value: object) -> str:
    return shown(json.dumps(value, ensure_ascii=False))
