"""Answers of the API: the run that serves is found, and asked."""

from collections.abc import Mapping

from recommender.api import answers, sessions
from recommender.api.requests import PredictionRequest, RecommendationRequest, SessionRequest
from recommender.api.sessions import Known
from recommender.pipeline.settings import PredictSettings
from recommender.serving import served_runs


def predictions(
    settings: PredictSettings, catalog: str, request: PredictionRequest
) -> dict[str, object]:
    """Score pairs at the endpoint.

    Raises:
        UnknownCatalogError: nothing serves.
        EndpointFailedError: the endpoint cannot answer.
        InvalidRequestError: the threshold is none of the model's.
    """
    run, scores = served_runs.score(
        settings.artifacts_bucket, settings.resource_prefix, catalog, request.pairs
    )
    return answers.predictions(run, request.pairs, scores, request.threshold)


def recommendations(
    settings: PredictSettings, catalog: str, user: str, request: RecommendationRequest
) -> dict[str, object]:
    """Name a user's best items.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    run, likes = served_runs.runs_of_lists(settings.artifacts_bucket, catalog)
    return answers.recommendations(run, likes, user, request)


def session(settings: PredictSettings, catalog: str, request: SessionRequest) -> dict[str, object]:
    """Recommend items to somebody by ratings that are sent along, beside what is known already.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    bucket = settings.artifacts_bucket
    run, likes = served_runs.runs_of_lists(bucket, catalog)
    known = Known.nothing()
    number = run.number_of(request.user or "")
    if 0 <= number < len(run.vocabulary.users) and run.ranking is not None:
        known = Known(*served_runs.rated(bucket, catalog, run.run_id, number))
    return sessions.session(run, likes, request, known)


def model(settings: PredictSettings, catalog: str) -> Mapping[str, object]:
    """Show the manifest of the run that serves.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    return served_runs.manifest(settings.artifacts_bucket, catalog)
