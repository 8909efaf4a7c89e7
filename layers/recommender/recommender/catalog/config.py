"""A catalog's settings, as ``config.json`` and the defaults make them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.catalog.feature_columns import FeatureColumn
from recommender.catalog.gate import Gate, GateSettings, gate_of
from recommender.catalog.ranking import Ranking, RankingSettings, ranking_of
from recommender.catalog.schema import Features, Split, Training, read_document
from recommender.model_names import MODELS
from recommender.predictor_types import BINARY_CLASSIFIER
from recommender.ratings.form import RatingForm


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
        models: which models a run trains, by name: `LIKE`, `RANKING`.
        ranking: how the ranking model is trained.
        max_training_seconds: when training is stopped; the stack's own limit holds too.
    """

    like_threshold: float = 4.0
    predictor_type: str = BINARY_CLASSIFIER
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
    models: tuple[str, ...] = MODELS
    ranking: Ranking = field(default_factory=Ranking)

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
            "models": list(self.models),
            "ranking": self.ranking.to_dict(),
        }


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
    settings = read_document(key, data)
    defaults = CatalogConfig()
    split = settings.get("split", Split())
    training = settings.get("training", Training())
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
        models=tuple(name for name in MODELS if name in settings.get("models", MODELS)),
        ranking=ranking_of(settings.get("ranking", RankingSettings())),
    )


def _feature_columns(features: Features) -> dict[str, tuple[FeatureColumn, ...]]:
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
    parts = {"form": form, "features": features, "gate": gate}
    if "models" in facts:
        parts |= {"models": tuple(facts["models"]), "ranking": Ranking(**facts["ranking"])}
    return CatalogConfig(**{**facts, **parts})
