"""Answers of the API: the run that serves is found, and asked."""

from collections.abc import Mapping

from recommender.api import answers, items, sessions, users
from recommender.api.answers import ServedRun
from recommender.api.queries import Page, RecommendationRequest
from recommender.api.requests import PredictionRequest, RankRequest, SessionRequest
from recommender.api.sessions import Known
from recommender.errors import RecommenderError
from recommender.pipeline.settings import PredictSettings
from recommender.serving import scoring, served_runs


def predictions(
    settings: PredictSettings, catalog: str, request: PredictionRequest
) -> tuple[dict[str, object], RecommenderError | None]:
    """Score pairs at the endpoint; if it cannot answer, by the same model's factors.

    Returns:
        The answer, and what was wrong with the endpoint.

    Raises:
        UnknownCatalogError: nothing serves.
        InvalidRequestError: the threshold is none of the model's.
    """
    scored = scoring.score(
        settings.artifacts_bucket, settings.resource_prefix, catalog, request.pairs
    )
    told = answers.predictions(
        scored.run, request.pairs, scored.scores, request.threshold, scored.scored_by
    )
    return told, scored.trouble


def recommendations(
    settings: PredictSettings, catalog: str, user: str, request: RecommendationRequest
) -> dict[str, object]:
    """Name a user's best items; if it is asked for, with what each score comes from.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    run, likes = served_runs.runs_of_lists(settings.artifacts_bucket, catalog)
    name = users.name_of(run, user)
    if not (request.explain and run.ranks and run.has_rated(name)):
        return answers.recommendations(run, likes, user, request)
    # Folded in from the ratings, as a session is: then what they add is the whole score.
    told = sessions.session(
        run,
        likes,
        SessionRequest(
            (),
            name,
            request.limit,
            explain=True,
            offset=request.offset,
            exclude=request.exclude,
            exclude_seen=request.exclude_seen,
        ),
        _known(settings, catalog, run, name),
    )
    del told["items_known"]
    return {**told, "basis": "personal" if told["basis"] == "ratings" else told["basis"]}


def session(settings: PredictSettings, catalog: str, request: SessionRequest) -> dict[str, object]:
    """Recommend items to somebody by ratings that are sent along, beside what is known already.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    run, likes = served_runs.runs_of_lists(settings.artifacts_bucket, catalog)
    known = _known(settings, catalog, run, request.user)
    return sessions.session(run, likes, request, known)


def rank(settings: PredictSettings, catalog: str, request: RankRequest) -> dict[str, object]:
    """Put items in order for a user, or for somebody by ratings that are sent along.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    run, likes = served_runs.runs_of_lists(settings.artifacts_bucket, catalog)
    return sessions.rank(run, likes, request, _known(settings, catalog, run, request.user))


def item(settings: PredictSettings, catalog: str, name: str) -> dict[str, object]:
    """Tell what is known of an item.

    Raises:
        UnknownCatalogError: nothing serves.
        UnknownItemError: the run that serves has no such item.
    """
    return items.item(_lists(settings, catalog), name)


def search(settings: PredictSettings, catalog: str, text: str, page: Page) -> dict[str, object]:
    """Find items by their titles.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    return items.search(_lists(settings, catalog), text, page)


def similar(settings: PredictSettings, catalog: str, name: str, page: Page) -> dict[str, object]:
    """Name items like another.

    Raises:
        UnknownCatalogError: nothing serves.
        UnknownItemError: the run that serves has no such item.
    """
    return items.similar(_lists(settings, catalog), name, page)


def user(settings: PredictSettings, catalog: str, name: str, page: Page) -> dict[str, object]:
    """Tell what a user rated.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    run = _lists(settings, catalog)
    name = users.name_of(run, name)
    return users.user(run, name, _known(settings, catalog, run, name), page)


def popular(settings: PredictSettings, catalog: str, page: Page) -> dict[str, object]:
    """Name the items that most users like.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    return items.popular(_lists(settings, catalog), page)


def _lists(settings: PredictSettings, catalog: str) -> ServedRun:
    return served_runs.runs_of_lists(settings.artifacts_bucket, catalog)[0]


def _known(settings: PredictSettings, catalog: str, run: ServedRun, user: str | None) -> Known:
    """What the ranking model knows of a user already."""
    number = run.number_of(user or "")
    if not 0 <= number < len(run.vocabulary.users) or run.ranking is None:
        return Known.nothing()
    return Known(*served_runs.rated(settings.artifacts_bucket, catalog, run.run_id, number))


def model(settings: PredictSettings, catalog: str) -> Mapping[str, object]:
    """Show the manifest of the run that serves.

    Raises:
        UnknownCatalogError: nothing serves.
    """
    return served_runs.manifest(settings.artifacts_bucket, catalog)
