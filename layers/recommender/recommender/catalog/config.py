"""Catalogs: their names, the keys that belong to them, and their settings in ``config.json``."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, TypedDict

import fastjsonschema

from recommender.catalog.feature_columns import FeatureColumn
from recommender.catalog.gate import Gate, GateSettings, gate_of
from recommender.errors import InvalidCatalogNameError, InvalidConfigError
from recommender.ratings.form import RatingForm

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_RATINGS = "ratings"
_CATALOGS = "catalogs"
_TEST = "test"


@dataclass(frozen=True)
class CatalogConfig:
    """How one catalog is trained, judged and served; ``schemas/config.schema.json`` explains.

    Attributes:
        like_threshold: a rating of at least this much is a like.
        predictor_type: ``binary_classifier`` or ``regressor``.
        hyperparameters: what replaces the usual hyperparameters, as SageMaker takes them.
        holdout_fraction: share of the pairs set aside as test set if no file is one.
        top_n: how many items each user is recommended.
        reject_limit: largest share of a file's rows that may be unusable.
        gate: when a new model may serve.
        last_per_user: set so many of each user's latest ratings aside instead, if not 0.
        train_shards: into how many files the train channel is cut.
        form: how the rating files are written, where that shall not be guessed.
        features: "user" or "item" -> the columns of its side file that become features; None
            if that is to be found out.
        max_training_seconds: when training is stopped; the stack's own limit holds too.
    """

    like_threshold: float = 4.0
    predictor_type: str = "binary_classifier"
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    holdout_fraction: float = 0.1
    top_n: int = 10
    reject_limit: float = 0.1
    gate: Gate = field(default_factory=Gate)
    max_training_seconds: int = 432_000
    last_per_user: int = 0
    train_shards: int = 1
    form: RatingForm = field(default_factory=RatingForm)
    features: Mapping[str, tuple[FeatureColumn, ...]] | None = None

    def to_dict(self) -> dict[str, object]:
        """For a run's plan; :func:`config_from_dict` reads it back."""
        form = {"separator": self.form.separator, "columns": dict(self.form.columns)}
        features = None
        if self.features is not None:
            features = {
                noun: [{**vars(column), "bounds": list(column.bounds)} for column in columns]
                for noun, columns in self.features.items()
            }
        hyperparameters = dict(self.hyperparameters)
        return {
            **vars(self),
            "hyperparameters": hyperparameters,
            "form": form,
            "features": features,
            "gate": self.gate.to_dict(),
        }


def check_catalog_name(name: str) -> str:
    """Return ``name`` if it can be a catalog's.

    Raises:
        InvalidCatalogNameError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise InvalidCatalogNameError(name)
    return name


def catalog_of_key(key: str) -> str:
    """Name the catalog that an object belongs to.

    Args:
        key: ``ratings/<catalog>/...`` or ``catalogs/<catalog>/...``, not URL-encoded.

    Raises:
        InvalidCatalogNameError: the key is neither (then the error names the whole key), or its
            second segment is no possible name.
    """
    segments = key.split("/")
    if len(segments) < 3 or segments[0] not in (_RATINGS, _CATALOGS):
        raise InvalidCatalogNameError(key)
    return check_catalog_name(segments[1])


def is_test_key(key: str) -> bool:
    """Whether a rating file is part of the test set: a segment below the catalog is ``test``."""
    segments = key.split("/")
    return segments[0] == _RATINGS and _TEST in segments[2:]


class _Split(TypedDict, total=False):
    fraction: float
    last_per_user: int


class _Feature(TypedDict, total=False):
    kind: str
    separator: str
    bounds: list[float]


class _Features(TypedDict, total=False):
    users: dict[str, _Feature]
    items: dict[str, _Feature]


class _Training(TypedDict, total=False):
    max_seconds: int
    shards: int


class _Document(TypedDict, total=False):
    """What the schema lets through."""

    columns: dict[str, str | int]
    separator: str
    features: _Features
    like_threshold: float
    predictor_type: str
    hyperparameters: dict[str, str | float]
    split: _Split
    top_n: int
    reject_limit: float
    gate: GateSettings
    training: _Training


def parse_config(key: str, data: bytes | None) -> CatalogConfig:
    """Read a catalog's settings.

    Args:
        key: the file's key, for messages.
        data: its bytes; None if there is no such file, which means all defaults.

    Raises:
        InvalidConfigError: it is not JSON or breaks the schema; the error says where, what stands
            there and what is expected.
    """
    if data is None:
        return CatalogConfig()
    document = _load(key, data)
    try:
        settings = _validator()(document)
    except fastjsonschema.JsonSchemaValueException as error:
        raise InvalidConfigError(key, *_explain(error)) from None
    _check_together(key, settings)
    defaults = CatalogConfig()
    split = settings.get("split", _Split())
    training = settings.get("training", _Training())
    return CatalogConfig(
        like_threshold=float(settings.get("like_threshold", defaults.like_threshold)),
        predictor_type=settings.get("predictor_type", defaults.predictor_type),
        hyperparameters={
            name: str(value) for name, value in settings.get("hyperparameters", {}).items()
        },
        holdout_fraction=float(split.get("fraction", defaults.holdout_fraction)),
        top_n=int(settings.get("top_n", defaults.top_n)),
        reject_limit=float(settings.get("reject_limit", defaults.reject_limit)),
        gate=gate_of(settings.get("gate", GateSettings())),
        max_training_seconds=int(training.get("max_seconds", defaults.max_training_seconds)),
        last_per_user=int(split.get("last_per_user", defaults.last_per_user)),
        train_shards=int(training.get("shards", defaults.train_shards)),
        form=RatingForm(settings.get("separator", ""), settings.get("columns", {})),
        features=_feature_columns(settings["features"]) if "features" in settings else None,
    )


def _feature_columns(features: _Features) -> dict[str, tuple[FeatureColumn, ...]]:
    sides = {"user": features.get("users", {}), "item": features.get("items", {})}
    return {
        noun: tuple(
            FeatureColumn(
                name,
                column.get("kind", "number" if "bounds" in column else ""),
                column.get("separator", "|"),
                tuple(map(float, column.get("bounds", ()))),
            )
            for name, column in columns.items()
        )
        for noun, columns in sides.items()
        if columns
    }


def _check_together(key: str, settings: _Document) -> None:
    """Refuse fields that are each right and do not go together."""
    split = settings.get("split", _Split())
    if len(split) > 1:
        raise InvalidConfigError(
            key, "$.split", f"{_shown(split)} is not allowed; expected fraction or last_per_user"
        )
    features = settings.get("features", _Features())
    for side, wanted in (
        ("users", features.get("users", {})),
        ("items", features.get("items", {})),
    ):
        for name, column in wanted.items():
            bounds = column.get("bounds", [])
            if bounds != sorted(set(bounds)):
                raise InvalidConfigError(
                    key,
                    f"$.features.{side}.{name}.bounds",
                    f"{_shown(bounds)} is not allowed; expected ascending numbers",
                )
    columns = settings.get("columns", {})
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


def config_from_dict(facts: Mapping[str, Any]) -> CatalogConfig:
    """Read back what :meth:`CatalogConfig.to_dict` wrote."""
    form = RatingForm(**facts["form"]) if "form" in facts else RatingForm()
    told = facts.get("features")
    features = told and {
        noun: tuple(
            FeatureColumn(**{**column, "bounds": tuple(column["bounds"])}) for column in columns
        )
        for noun, columns in told.items()
    }
    gate = Gate(**facts.get("gate", {}))
    return CatalogConfig(**{**facts, "form": form, "features": features, "gate": gate})


class _Objection(Exception):  # noqa: N818 - a message on its way, never seen outside
    """Something that JSON allows to be written and Matinee does not."""


def _load(key: str, data: bytes) -> object:
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
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise _Objection(f"{_shown(name)} is given {names.count(name)} times")
    return dict(pairs)


def _refuse_number(text: str) -> object:
    raise _Objection(f"{text} is not a number that JSON knows")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Objection(f"{_shown(text)} is too large for a number")
    return value


@cache
def _validator() -> Callable[[object], _Document]:
    schema = resources.files(__package__).joinpath("schemas", "config.schema.json").read_bytes()
    validate: Callable[[object], _Document] = fastjsonschema.compile(
        json.loads(schema), use_default=False
    )
    return validate


def _explain(error: fastjsonschema.JsonSchemaValueException) -> tuple[str, str]:
    """Turn a schema error into the JSON path and a sentence with value and expectation."""
    path = "$" + "".join(f".{part}" for part in error.path[1:])
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
        if patterns:
            expected = (
                "expected lower-case names; feature_dim and field_sizes follow from the data, "
                "predictor_type and like_threshold have fields of their own"
            )
        else:
            expected = "expected " + ", ".join(definition["properties"])
        return path, f"unknown field {', '.join(map(_shown, unknown))}; {expected}"
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
        "pattern": "expected '::' or one character that is no letter, digit, quotation mark, "
        "'.', '+' or '-'",
    }
    return path, f"{_shown(value)} is not allowed; {expectations.get(str(rule), error.message)}"


def _type_names(types: object) -> str:
    names = types if isinstance(types, list) else [types]
    return " or ".join(f"an {n}" if str(n)[0] in "aio" else f"a {n}" for n in names)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
