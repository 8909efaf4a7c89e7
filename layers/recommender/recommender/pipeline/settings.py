"""What each function is told by its environment: one frozen dataclass a function.

A field's name in capitals is its environment variable; a contract test holds the template to it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from recommender.errors import MissingSettingsError
from recommender.model_names import LIKE, RANKING


@dataclass(frozen=True)
class Settings:
    """Reads every field from the environment and names all that is wrong at once."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            MissingSettingsError: some variable is absent, empty or not a number.
        """
        values: dict[str, str | int] = {}
        problems: list[str] = []
        for field in fields(cls):
            variable = field.name.upper()
            text = environ.get(variable, "")
            if not text:
                problems.append(f"{variable} is not set")
            elif field.type is int:
                try:
                    values[field.name] = int(text)
                except ValueError:
                    problems.append(f"{variable}={text!r} is not a whole number")
            else:
                values[field.name] = text
        if problems:
            raise MissingSettingsError(problems)
        return cls(**values)


@dataclass(frozen=True)
class AdmitUploadSettings(Settings):
    """Where leases lie, what to start, whom to tell."""

    state_table: str
    state_machine_arn: str
    notice_topic_arn: str
    settle_seconds: int
    poll_seconds: int


@dataclass(frozen=True)
class EncodeRatingsSettings(Settings):
    """Where ratings come from and tensors go, and the plan of training."""

    state_table: str
    ratings_bucket: str
    artifacts_bucket: str
    hyperparameters: str
    ranking_hyperparameters: str
    training_image: str

    def stack_hyperparameters(self) -> dict[str, dict[str, str]]:
        """What every catalog's models start from, by the model's name.

        Raises:
            MissingSettingsError: a parameter is not a JSON object of strings.
        """
        return {
            LIKE: _object_of_texts("HYPERPARAMETERS", self.hyperparameters),
            RANKING: _object_of_texts("RANKING_HYPERPARAMETERS", self.ranking_hyperparameters),
        }


def _object_of_texts(variable: str, text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise MissingSettingsError([f"{variable} is not JSON: {error}"]) from error
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise MissingSettingsError([f"{variable} is not a JSON object of strings"])
    return found


@dataclass(frozen=True)
class StartTrainingSettings(Settings):
    """How a training job is asked for."""

    state_table: str
    artifacts_bucket: str
    resource_prefix: str
    sagemaker_role_arn: str
    training_instance_type: str
    training_max_seconds: int


@dataclass(frozen=True)
class CheckTrainingSettings(Settings):
    """How long a job may take."""

    training_max_seconds: int


@dataclass(frozen=True)
class EvaluateModelSettings(Settings):
    """Where runs lie."""

    artifacts_bucket: str


@dataclass(frozen=True)
class UpdateEndpointSettings(Settings):
    """How an endpoint is asked for."""

    state_table: str
    artifacts_bucket: str
    resource_prefix: str
    sagemaker_role_arn: str
    endpoint_instance_type: str
    endpoint_instance_count: int


@dataclass(frozen=True)
class CheckEndpointSettings(Settings):
    """How long an endpoint may take."""

    endpoint_max_seconds: int


@dataclass(frozen=True)
class ScoreUsersSettings(Settings):
    """Where runs lie."""

    artifacts_bucket: str


@dataclass(frozen=True)
class AdmitPairsSettings(Settings):
    """What to start for a pair list, whom to tell, what an execution leaves behind."""

    ratings_bucket: str
    artifacts_bucket: str
    state_machine_arn: str
    resource_prefix: str
    notice_topic_arn: str
    poll_seconds: int


@dataclass(frozen=True)
class EncodePairsSettings(Settings):
    """Where pair lists come from and their rows go."""

    ratings_bucket: str
    artifacts_bucket: str


@dataclass(frozen=True)
class StartTransformSettings(Settings):
    """How a batch transform job is asked for."""

    artifacts_bucket: str
    resource_prefix: str
    transform_instance_type: str
    transform_max_seconds: int


@dataclass(frozen=True)
class CheckTransformSettings(Settings):
    """How long a batch transform job may take."""

    transform_max_seconds: int


@dataclass(frozen=True)
class JoinScoresSettings(Settings):
    """Where rows and scores lie."""

    artifacts_bucket: str


@dataclass(frozen=True)
class FinishScoringSettings(Settings):
    """Where the outcome is written and who is told."""

    artifacts_bucket: str
    resource_prefix: str
    notice_topic_arn: str


@dataclass(frozen=True)
class FinishRunSettings(Settings):
    """Where the outcome is written and who is told."""

    state_table: str
    artifacts_bucket: str
    resource_prefix: str
    notice_topic_arn: str
    settle_seconds: int
    poll_seconds: int


@dataclass(frozen=True)
class PredictSettings(Settings):
    """Where the serving run lies and what its endpoint is called."""

    artifacts_bucket: str
    resource_prefix: str
