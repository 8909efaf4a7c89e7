"""Checked hyperparameters: what a job, and the solver that it names, is given."""

from collections.abc import Mapping
from dataclasses import dataclass

from recommender.errors import InvalidHyperparametersError
from recommender.hyperparameters import adam, als, gibbs, shared
from recommender.hyperparameters.kinds import sizes_of
from recommender.predictor_types import BINARY_CLASSIFIER

_BEFORE_RANKING = (*shared.TABLE, *adam.TABLE, *gibbs.TABLE)

TABLE = {kind.name: kind for kind in (*_BEFORE_RANKING, *als.TABLE)}
"""Every hyperparameter there is, by its name."""


@dataclass(frozen=True)
class Term:
    """How the bias, the linear weights or the factors begin and move under ``adam``.

    Attributes:
        learning_rate: Adam's step size.
        weight_decay: L2 penalty per occurrence (see ``adam``).
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
class Ranking:
    """What steers the solver ``als``; None for what is to be chosen."""

    num_factors: int | None
    sweeps: int | None
    unobserved_weight: float | None
    regularization: float | None
    regularization_exponent: float
    init_sigma: float
    search: bool
    search_share: float
    validation_fraction: float
    hit_threshold: float
    feature_strength: float


@dataclass(frozen=True)
class Hyperparameters:
    """Checked hyperparameters of one training job; the tables tell what each means."""

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
    ranking: Ranking
    given: Mapping[str, str]

    @property
    def ranks(self) -> bool:
        """Whether labels are weights of pairs that are to be ranked above all others."""
        return self.solver == shared.ALS

    @property
    def classifies(self) -> bool:
        """Whether likes are predicted; else ratings."""
        return self.predictor_type == BINARY_CLASSIFIER

    def as_strings(self) -> dict[str, str]:
        """Every hyperparameter that has a value, given or by default, as SageMaker spells it.

        Defaults of ``als`` are told where it is the solver, so that it changed no other's model.
        """
        table = TABLE if self.ranks else {kind.name: kind for kind in _BEFORE_RANKING}
        filled = {name: kind.default for name, kind in table.items() if kind.default is not None}
        return {**filled, **self.given}


def settings_of(given: Mapping[str, str]) -> Hyperparameters:
    """Fill in the defaults.

    Args:
        given: texts that have been checked, by name.

    Returns:
        The hyperparameters as numbers, words and sizes.

    Raises:
        InvalidHyperparametersError: one that is required is missing.
    """
    texts = {name: given.get(name, kind.default) for name, kind in TABLE.items()}

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
        num_factors=int(texts["num_factors"] or als.NUM_FACTORS),
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
        field_sizes=sizes_of(texts["field_sizes"]) if texts["field_sizes"] else (),
        implicit_features=text("implicit_features") == "true",
        like_threshold=optional("like_threshold"),
        ranking=Ranking(
            num_factors=None if texts["num_factors"] is None else int(text("num_factors")),
            sweeps=None if texts["sweeps"] is None else int(text("sweeps")),
            unobserved_weight=optional("unobserved_weight"),
            regularization=optional("regularization"),
            regularization_exponent=float(text("regularization_exponent")),
            init_sigma=float(text("init_sigma")),
            search=text("search") == "true",
            search_share=float(text("search_share")),
            validation_fraction=float(text("validation_fraction")),
            hit_threshold=float(text("hit_threshold")),
            feature_strength=float(text("feature_strength")),
        ),
        given=dict(given),
    )
