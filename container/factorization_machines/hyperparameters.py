"""Hyperparameters: the built-in algorithm's names and defaults, checked all at once.

Names, defaults and meanings are those of SageMaker's built-in factorization machines, with some
additions of our own. Where the built-in's documentation leaves
a meaning open, this is ours:

- ``*_wd`` is an L2 penalty *per occurrence*: each row adds ``wd / 2 * w**2`` to the loss for each
  weight of each feature that the row holds, whatever the feature's value. A feature that is seen
  often is therefore pulled as strongly, relative to its data, as one that is seen once, and
  a feature that no row holds is not pulled at all. The bias occurs once in every row.
- The gradient of a mini-batch is the *sum* over its rows, penalties included. It is multiplied by
  ``rescale_grad`` (default 1), then each number of it is clipped to ``[-clip_gradient,
  clip_gradient]`` (default: not clipped), and then goes to Adam.
- ``eps`` (default 1e-8) is Adam's, added to the square root of the second moment.

Our own, none of which changes anything unless it is given:

- ``seed`` of all randomness. ``learning_rate_decay`` multiplies all three learning rates after each
  epoch.
- ``averaging_decay``: Adam hands over a running mean of the parameters at the ends of epochs, in
  which an epoch weighs this much less than the next one (default 0: the last epoch alone).
- ``holdout_fraction``: Adam keeps this share of the train channel's rows back (default 0) and
  hands over the epoch that did best on them; it stops once ``patience`` epochs were no better.
- ``solver``: ``adam``, or ``gibbs`` for the posterior's mean answer. Gibbs takes ``draws`` samples
  of ``draw_factors`` factors each (at most ``num_factors``) after ``burn_in`` that it drops, and
  makes one machine of ``num_factors`` of them. ``chains`` (default 1) share the draws among so many
  threads, each after a ``burn_in`` of its own. What only steers Adam is then of no effect.
- ``field_sizes``, as in ``943,1682,21,19``: the number of columns of each field, in their order.
  The first two are users and items, the others groups of features, and each has a prior of its
  own. By default users and items are found from the rows (gibbs).
- ``implicit_features``: describe users by the items that they rated and items by their raters, from
  the train channel alone (gibbs).
- ``like_threshold``: labels are ratings, and those from here on are likes. A classifier then
  learns from the ratings and foretells likes; a regressor foretells ratings and tells beside the
  model how they become probabilities of a like (gibbs).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from recommender.predictor_types import PREDICTOR_TYPES, REGRESSOR

from factorization_machines.errors import InvalidHyperparametersError

INIT_METHODS = ("normal", "uniform", "constant")
TERMS = ("bias", "linear", "factors")
ADAM, GIBBS = "adam", "gibbs"

# SageMaker's tuner adds this to every job that it starts; it says nothing about the training.
_SET_BY_THE_SERVICE = frozenset({"_tuning_objective_metric"})

_INTEGER = re.compile(r"[+-]?[0-9]+")
_SIZES = re.compile(r"[0-9]{1,10}(,[0-9]{1,10})+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Term:
    """How the bias, the linear weights or the factors begin and move.

    Attributes:
        learning_rate: Adam's step size.
        weight_decay: L2 penalty per occurrence (see the module).
        init_method: ``normal`` | ``uniform`` | ``constant``.
        init_sigma: standard deviation, for ``normal``.
        init_scale: half width around zero, for ``uniform``.
        init_value: the value, for ``constant``.
    """

    learning_rate: float
    weight_decay: float
    init_method: str
    init_sigma: float
    init_scale: float | None
    init_value: float | None


@dataclass(frozen=True)
class Hyperparameters:
    """Checked hyperparameters of one training job."""

    feature_dim: int
    num_factors: int
    predictor_type: str
    epochs: int
    mini_batch_size: int
    bias: Term
    linear: Term
    factors: Term
    clip_gradient: float | None
    eps: float
    rescale_grad: float
    seed: int
    learning_rate_decay: float
    averaging_decay: float
    holdout_fraction: float
    patience: int
    solver: str
    draws: int
    burn_in: int
    chains: int
    draw_factors: int
    field_sizes: tuple[int, ...]
    implicit_features: bool
    like_threshold: float | None
    given: Mapping[str, str]

    def as_strings(self) -> dict[str, str]:
        """Every hyperparameter that has a value, given or by default, as SageMaker spells it."""
        filled = {spec.name: spec.default for spec in _SPECS if spec.default is not None}
        return {**filled, **self.given}


@dataclass(frozen=True)
class _Integer:
    """An integer hyperparameter; without a default it is required."""

    name: str
    default: str | None
    low: int
    high: int

    @property
    def allowed(self) -> str:
        return f"an integer from {self.low} to {self.high}"

    def accepts(self, text: str) -> bool:
        return bool(_INTEGER.fullmatch(text)) and self.low <= int(text) <= self.high


@dataclass(frozen=True)
class _Number:
    """A real hyperparameter; without a default it may stay unset."""

    name: str
    default: str | None
    low: float
    high: float
    above_low: bool = False

    @property
    def allowed(self) -> str:
        return f"a number {'above' if self.above_low else 'from'} {self.low:g} to {self.high:g}"

    def accepts(self, text: str) -> bool:
        if not _NUMBER.fullmatch(text):
            return False
        value = float(text)
        if not math.isfinite(value) or (self.above_low and value <= self.low):
            return False
        return self.low <= value <= self.high


@dataclass(frozen=True)
class _Choice:
    """A hyperparameter that is one of a few words."""

    name: str
    default: str | None
    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return " or ".join(self.words)

    def accepts(self, text: str) -> bool:
        return text in self.words


@dataclass(frozen=True)
class _Sizes:
    """A hyperparameter that is a list of sizes; without a default it may stay unset."""

    name: str
    default: str | None

    @property
    def allowed(self) -> str:
        return "two or more positive integers, separated by commas, that add up to feature_dim"

    def accepts(self, text: str) -> bool:
        return bool(_SIZES.fullmatch(text)) and min(_sizes(text)) > 0


_Spec = _Integer | _Number | _Choice | _Sizes

_REQUIRED = ("feature_dim", "num_factors", "predictor_type")


def _term_specs(term: str, rate: str, decay: str, sigma: str) -> tuple[_Spec, ...]:
    # 512 is the end of the documented range. Zero is allowed below it: "non-negative float".
    return (
        _Number(f"{term}_lr", rate, 0, 512),
        _Number(f"{term}_wd", decay, 0, 512),
        _Choice(f"{term}_init_method", "normal", INIT_METHODS),
        _Number(f"{term}_init_sigma", sigma, 0, 512),
        _Number(f"{term}_init_scale", None, 0, 512),
        _Number(f"{term}_init_value", None, -512, 512),
    )


_SPECS: tuple[_Spec, ...] = (
    _Integer("feature_dim", None, 1, 2**31 - 1),
    _Integer("num_factors", None, 1, 1000),
    _Choice("predictor_type", None, PREDICTOR_TYPES),
    _Integer("epochs", "1", 1, 10_000),
    _Integer("mini_batch_size", "1000", 1, 1_000_000),
    *_term_specs("bias", rate="0.1", decay="0.01", sigma="0.01"),
    *_term_specs("linear", rate="0.001", decay="0.001", sigma="0.01"),
    *_term_specs("factors", rate="0.0001", decay="0.00001", sigma="0.001"),
    _Number("clip_gradient", None, 0, 1e9, above_low=True),
    _Number("eps", "1e-8", 0, 1, above_low=True),
    _Number("rescale_grad", "1", 0, 1e9, above_low=True),
    _Integer("seed", "0", 0, 2**32 - 1),
    _Number("learning_rate_decay", "1", 0, 1, above_low=True),
    _Number("averaging_decay", "0", 0, 0.999),
    _Number("holdout_fraction", "0", 0, 0.5),
    _Integer("patience", "3", 1, 10_000),
    _Choice("solver", ADAM, (ADAM, GIBBS)),
    _Integer("draws", "200", 1, 10_000),
    _Integer("burn_in", "50", 0, 10_000),
    _Integer("chains", "1", 1, 64),
    _Integer("draw_factors", "8", 1, 64),
    _Sizes("field_sizes", None),
    _Choice("implicit_features", "false", ("false", "true")),
    _Number("like_threshold", None, -1e9, 1e9),
)


def parse_hyperparameters(raw: Mapping[str, object]) -> Hyperparameters:
    """Check hyperparameters as SageMaker hands them over.

    Args:
        raw: name to value; the service passes strings, plain JSON numbers are taken as well.

    Returns:
        The hyperparameters, defaults filled in.

    Raises:
        InvalidHyperparametersError: with every problem of every hyperparameter.

    Source:
        SageMaker developer guide, "Factorization Machines Hyperparameters".
    """
    specs = {spec.name: spec for spec in _SPECS}
    problems: list[str] = []
    given: dict[str, str] = {}
    for name in sorted(raw):
        if name in _SET_BY_THE_SERVICE:
            continue
        spec, value = specs.get(name), raw[name]
        if spec is None:
            problems.append(f"{name} is unknown (known: {', '.join(sorted(specs))})")
        elif isinstance(value, bool) or not isinstance(value, str | int | float):
            problems.append(f"{name} is {value!r}, expected {spec.allowed}")
        elif not spec.accepts(text := str(value).strip()):
            problems.append(f"{name} is {text[:80]!r}, expected {spec.allowed}")
        else:
            given[name] = text
    problems += [
        f"{name} is missing, expected {specs[name].allowed}"
        for name in _REQUIRED
        if name not in raw
    ]
    problems += _missing_companions(raw) + _quarrels(given)
    if problems:
        raise InvalidHyperparametersError(problems)
    return _build(given)


def _missing_companions(raw: Mapping[str, object]) -> list[str]:
    companions = {"uniform": "init_scale", "constant": "init_value"}
    problems = []
    for term in TERMS:
        method = raw.get(f"{term}_init_method")
        companion = companions.get(method) if isinstance(method, str) else None
        if companion and f"{term}_{companion}" not in raw:
            problems.append(
                f"{term}_{companion} is missing, required when {term}_init_method is {method}"
            )
    return problems


def _quarrels(given: Mapping[str, str]) -> list[str]:
    """Values that are fine alone but not together."""
    problems = []
    sizes, dimension = given.get("field_sizes"), given.get("feature_dim")
    if sizes and dimension and sum(_sizes(sizes)) != int(dimension):
        problems.append(
            f"field_sizes is {sizes[:80]!r}, which adds up to {sum(_sizes(sizes))}, "
            f"expected the feature_dim {dimension}"
        )
    if (
        "like_threshold" in given
        and given.get("predictor_type") == REGRESSOR
        and given.get("solver", ADAM) != GIBBS
    ):
        problems.append(
            f"like_threshold is {given['like_threshold']!r}, "
            "expected with a regressor only when solver is gibbs"
        )
    return problems


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


def _build(given: Mapping[str, str]) -> Hyperparameters:
    texts = {spec.name: given.get(spec.name, spec.default) for spec in _SPECS}

    def text(name: str) -> str:
        found = texts[name]
        if found is None:
            raise InvalidHyperparametersError([f"{name} is missing"])
        return found

    def optional(name: str) -> float | None:
        found = texts[name]
        return None if found is None else float(found)

    def term(name: str) -> Term:
        return Term(
            learning_rate=float(text(f"{name}_lr")),
            weight_decay=float(text(f"{name}_wd")),
            init_method=text(f"{name}_init_method"),
            init_sigma=float(text(f"{name}_init_sigma")),
            init_scale=optional(f"{name}_init_scale"),
            init_value=optional(f"{name}_init_value"),
        )

    return Hyperparameters(
        feature_dim=int(text("feature_dim")),
        num_factors=int(text("num_factors")),
        predictor_type=text("predictor_type"),
        epochs=int(text("epochs")),
        mini_batch_size=int(text("mini_batch_size")),
        bias=term("bias"),
        linear=term("linear"),
        factors=term("factors"),
        clip_gradient=optional("clip_gradient"),
        eps=float(text("eps")),
        rescale_grad=float(text("rescale_grad")),
        seed=int(text("seed")),
        learning_rate_decay=float(text("learning_rate_decay")),
        averaging_decay=float(text("averaging_decay")),
        holdout_fraction=float(text("holdout_fraction")),
        patience=int(text("patience")),
        solver=text("solver"),
        draws=int(text("draws")),
        burn_in=int(text("burn_in")),
        chains=int(text("chains")),
        draw_factors=int(text("draw_factors")),
        field_sizes=_sizes(texts["field_sizes"]) if texts["field_sizes"] else (),
        implicit_features=text("implicit_features") == "true",
        like_threshold=optional("like_threshold"),
        given=dict(given),
    )
