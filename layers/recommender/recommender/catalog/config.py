"""A catalog's settings, as ``config.json`` and the defaults make them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from recommender.catalog.feature_columns import FeatureColumn
from recommender.catalog.gate import Gate, GateSettings, gate_of
from recommender.catalog.ranking import Ranking, RankingSettings, ranking_of
from recommender.catalog.schema import (
    Document,
    Features,
    Lists,
    Scores,
    Split,
    Training,
    read_document,
)
from recommender.errors import InvalidConfigError
from recommender.model_names import MODELS, RANKING
from recommender.predictor_types import BINARY_CLASSIFIER
from recommender.ratings.feedback import EXPLICIT, IMPLICIT
from recommender.ratings.form import RatingForm, Writing
from recommender.ratings.scales import Scale

_LEAVE_IT_OUT = 'and the catalog has ratings; leave it out, or say "feedback": "implicit"'
_OUT_OF_PLACE = {
    "$.ranking.weights": "weighs ratings, and the catalog has none; `events` weighs events",
    "$.models": "leaves out the ranking model, the only one that can do without ratings",
    "$.events": f"weighs what users did, {_LEAVE_IT_OUT}",
    "$.half_life_days": f"lets what users did age, {_LEAVE_IT_OUT}",
    "$.columns": f"names a column of counts or events, {_LEAVE_IT_OUT}",
}
"""What is wrong with settings that the other kind of feedback has, by their path."""


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
        feedback: `EXPLICIT` or `IMPLICIT`; empty if the first rating file is to say.
        events: type of event -> how much one counts, in files without ratings; none if all count 1.
        half_life_days: after how many days a row without a rating counts half; 0 for never.
        like_threshold_given: whether the settings say what a like is; else the ratings' scale does.
        list_format: how the lists of all users are written: "jsonl" or "parquet".
        list_titles: whether their items have titles.
        score_titles: whether the scores of pair lists have titles.
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
    feedback: str = ""
    events: Mapping[str, float] = field(default_factory=dict)
    half_life_days: float = 0.0
    like_threshold_given: bool = False
    list_format: str = "jsonl"
    list_titles: bool = True
    score_titles: bool = True

    @property
    def is_implicit(self) -> bool:
        """Whether it is settled that the catalog has no ratings."""
        return self.feedback == IMPLICIT

    def known_to_be(self, key: str, feedback: str) -> "CatalogConfig":
        """Settle what kind of feedback the catalog has.

        Without ratings the ranking model alone is trained, of totals, and no side features are
        looked for, which only the like model learns from.

        Args:
            key: the config's key, for messages.
            feedback: `EXPLICIT` or `IMPLICIT`, as the settings or the files say.

        Raises:
            InvalidConfigError: the settings ask for what only the other kind has.
        """
        implicit = feedback == IMPLICIT
        for path, is_given in self._only_of(EXPLICIT if implicit else IMPLICIT).items():
            if is_given:
                raise InvalidConfigError(key, path, _OUT_OF_PLACE[path])
        settled = replace(self, feedback=feedback)
        if not implicit:
            return settled
        return replace(
            settled,
            models=(RANKING,),
            ranking=replace(self.ranking, of_totals=True),
            features=self.features or {},
        )

    def on_scale(self, scale: Scale | None) -> "CatalogConfig":
        """Settle from where on a rating is a like, if the settings leave it to the ratings."""
        if scale is None or self.like_threshold_given or self.is_implicit:
            return self
        return replace(self, like_threshold=scale.threshold)

    def _only_of(self, feedback: str) -> dict[str, bool]:
        """Paths of settings that only one kind of feedback has -> whether they are given."""
        if feedback == EXPLICIT:
            return {
                "$.ranking.weights": bool(self.ranking.weights),
                "$.models": RANKING not in self.models,
            }
        return {
            "$.events": bool(self.events),
            "$.half_life_days": bool(self.half_life_days),
            "$.columns": bool({"count", "event"} & set(self.form.columns)),
        }

    def rating_form(self) -> RatingForm:
        """How the rating files are written, and what kind of feedback they hold."""
        return replace(self.form, feedback=self.feedback, events=self.events)

    def reading(self) -> dict[str, object]:
        """What decides how a rating file is read, and whether it is refused: for JSON."""
        return {
            "form": asdict(self.form),
            "feedback": self.feedback,
            "events": dict(self.events),
            "reject_limit": self.reject_limit,
        }

    def to_dict(self) -> dict[str, object]:
        """For a run's plan; :func:`config_from_dict` reads it back."""
        form = {
            "separator": self.form.separator,
            "columns": dict(self.form.columns),
            "writing": {**vars(self.form.writing), "missing": list(self.form.writing.missing)},
        }
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
            "events": dict(self.events),
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
    lists = settings.get("recommendations", Lists())
    config = CatalogConfig(
        like_threshold=float(settings.get("like_threshold", defaults.like_threshold)),
        like_threshold_given="like_threshold" in settings,
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
        form=RatingForm(
            settings.get("separator", ""), settings.get("columns", {}), writing=_writing(settings)
        ),
        features=_feature_columns(settings["features"]) if "features" in settings else None,
        models=tuple(name for name in MODELS if name in settings.get("models", MODELS)),
        ranking=ranking_of(settings.get("ranking", RankingSettings())),
        feedback=settings.get("feedback", defaults.feedback),
        events={event: float(weight) for event, weight in settings.get("events", {}).items()},
        half_life_days=float(settings.get("half_life_days", defaults.half_life_days)),
        list_format=lists.get("format", defaults.list_format),
        list_titles=lists.get("titles", defaults.list_titles),
        score_titles=settings.get("scores", Scores()).get("titles", defaults.score_titles),
    )
    form = config.rating_form()
    if form.displaced:
        roles = " and ".join(form.displaced)
        raise InvalidConfigError(
            key, "$.columns", f"gives the usual place of {roles} to others; say where {roles} is"
        )
    feedback = IMPLICIT if form.is_implicit else config.feedback
    return config.known_to_be(key, feedback) if feedback else config


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


def _writing(settings: Document) -> Writing:
    """How cells are written, as far as the settings say."""
    return Writing(
        quote=settings.get("quote"),
        escape=settings.get("escape", ""),
        comment=settings.get("comment", ""),
        missing=tuple(
            value if isinstance(value, str) else f"{value:g}"
            for value in settings.get("missing", [])
        ),
        decimal=settings.get("decimal", ""),
        date_order=settings.get("date_order", ""),
    )


def _form_from(facts: Mapping[str, Any]) -> RatingForm:
    writing = facts.get("writing", {})
    missing = tuple(writing.get("missing", ()))
    return RatingForm(**{**facts, "writing": Writing(**{**writing, "missing": missing})})


def config_from_dict(facts: Mapping[str, Any]) -> CatalogConfig:
    """Read back what :meth:`CatalogConfig.to_dict` wrote."""
    form = _form_from(facts["form"]) if "form" in facts else RatingForm()
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
