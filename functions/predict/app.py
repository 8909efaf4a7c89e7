"""API: predictions, recommendations, the serving model, health."""

import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from recommender.api.problems import answered, of_error, problem, refused
from recommender.api.queries import (
    MAX_RUNS,
    Page,
    RecommendationRequest,
    parse_id,
    parse_page,
    parse_recommendations,
    parse_search,
)
from recommender.api.requests import parse_predictions, parse_rank, parse_session
from recommender.api.routing import routable
from recommender.errors import EndpointFailedError, RecommenderError, ServiceError
from recommender.observability import logger, metrics
from recommender.pipeline.runs import CODE_VERSION
from recommender.pipeline.settings import PredictSettings
from recommender.serving import answers, history

app = APIGatewayRestResolver()


@app.post("/v1/catalogs/<catalog>/predictions")
def predictions(catalog: str) -> Response[str]:
    """Score pairs of user and item."""
    event, catalog = app.current_event, _parameter("catalog", catalog)
    request = parse_predictions(event.body, is_base64=bool(event.is_base64_encoded))
    told, trouble = answers.predictions(_settings(), catalog, request)
    if trouble is not None:
        metrics.add_metric("EndpointErrors", MetricUnit.Count, 1)
        logger.warning("answered without the endpoint", extra={"reason": str(trouble)})
    return _answer(told)


@app.get("/v1/catalogs/<catalog>/users/<user>/recommendations")
def recommendations(catalog: str, user: str) -> Response[str]:
    """Name a user's best items."""
    catalog, user = _parameter("catalog", catalog), _parameter("user", user)
    return _answer(answers.recommendations(_settings(), catalog, user, _wanted()))


@app.get("/v1/catalogs/<catalog>/recommendations")
def recommendations_by_query(catalog: str) -> Response[str]:
    """Name the best items of a user whose id a path cannot hold."""
    user, catalog = parse_id("user", _query()), _parameter("catalog", catalog)
    return _answer(answers.recommendations(_settings(), catalog, user, _wanted()))


@app.post("/v1/catalogs/<catalog>/recommendations")
def session(catalog: str) -> Response[str]:
    """Recommend items to somebody who is known by some ratings alone."""
    event, catalog = app.current_event, _parameter("catalog", catalog)
    request = parse_session(event.body, is_base64=bool(event.is_base64_encoded))
    return _answer(answers.session(_settings(), catalog, request))


@app.get("/v1/catalogs/<catalog>/users/<user>")
def user(catalog: str, user: str) -> Response[str]:
    """Tell what a user rated."""
    catalog, user = _parameter("catalog", catalog), _parameter("user", user)
    return _answer(answers.user(_settings(), catalog, user, _page()))


@app.get("/v1/catalogs/<catalog>/users")
def user_by_query(catalog: str) -> Response[str]:
    """Tell what a user rated whose id a path cannot hold."""
    catalog, user = _parameter("catalog", catalog), parse_id("user", _query())
    return _answer(answers.user(_settings(), catalog, user, _page()))


@app.post("/v1/catalogs/<catalog>/rank")
def rank(catalog: str) -> Response[str]:
    """Put items in order for a user, or for somebody who is known by some ratings."""
    event, catalog = app.current_event, _parameter("catalog", catalog)
    request = parse_rank(event.body, is_base64=bool(event.is_base64_encoded))
    return _answer(answers.rank(_settings(), catalog, request))


@app.get("/v1/catalogs/<catalog>/items/<item>")
def item(catalog: str, item: str) -> Response[str]:
    """Tell what is known of an item."""
    catalog, item = _parameter("catalog", catalog), _parameter("item", item)
    return _answer(answers.item(_settings(), catalog, item))


@app.get("/v1/catalogs/<catalog>/items")
def items(catalog: str) -> Response[str]:
    """Find items by their titles, or one by an id that a path cannot hold."""
    catalog, query = _parameter("catalog", catalog), _query()
    if "item" in query:
        return _answer(answers.item(_settings(), catalog, parse_id("item", query)))
    return _answer(answers.search(_settings(), catalog, parse_search(query), _page()))


@app.get("/v1/catalogs/<catalog>/items/<item>/similar")
def similar(catalog: str, item: str) -> Response[str]:
    """Name items like another."""
    catalog, item = _parameter("catalog", catalog), _parameter("item", item)
    return _answer(answers.similar(_settings(), catalog, item, _page()))


@app.get("/v1/catalogs/<catalog>/similar")
def similar_by_query(catalog: str) -> Response[str]:
    """Name items like another whose id a path cannot hold."""
    catalog, item = _parameter("catalog", catalog), parse_id("item", _query())
    return _answer(answers.similar(_settings(), catalog, item, _page()))


@app.get("/v1/catalogs/<catalog>/popular")
def popular(catalog: str) -> Response[str]:
    """Name the items that most users like."""
    return _answer(answers.popular(_settings(), _parameter("catalog", catalog), _page()))


@app.get("/v1/catalogs/<catalog>/model")
def model(catalog: str) -> Response[str]:
    """Show the manifest of the run that serves."""
    return _answer(answers.model(_settings(), _parameter("catalog", catalog)))


@app.get("/v1/catalogs")
def catalogs() -> Response[str]:
    """Name the catalogs of which a model serves."""
    return _answer(history.catalogs(_settings().artifacts_bucket, _page()))


@app.get("/v1/catalogs/<catalog>/runs")
def runs(catalog: str) -> Response[str]:
    """Tell a catalog's runs, the newest first."""
    catalog, page = _parameter("catalog", catalog), parse_page(_query(), most=MAX_RUNS)
    return _answer(history.runs(_settings().artifacts_bucket, catalog, page))


@app.get("/v1/catalogs/<catalog>/runs/<run>")
def run(catalog: str, run: str) -> Response[str]:
    """Show the manifest of a run."""
    catalog, run = _parameter("catalog", catalog), _parameter("run", run)
    return _answer(history.run(_settings().artifacts_bucket, catalog, run))


@app.get("/v1/health")
def health() -> Response[str]:
    """Say that the API answers."""
    return _answer({"status": "ok", "version": CODE_VERSION})


@app.exception_handler(RecommenderError)  # type: ignore[untyped-decorator]
def recommender_error(error: RecommenderError) -> Response[str]:
    """Answer what went wrong, and count it when it was the endpoint."""
    told = of_error(error)
    if isinstance(error, (EndpointFailedError, ServiceError)):
        metrics.add_metric("EndpointErrors", MetricUnit.Count, 1)
    if cast("int", told["status"]) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.exception("request failed")
    return _problem(told)


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def unexpected_error(error: Exception) -> Response[str]:  # noqa: ARG001  # the log has it
    """Answer an error of ours without showing its insides."""
    logger.exception("request failed unexpectedly")
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _problem(problem(status, "internal", "An error of ours; it has been logged."))


@app.not_found
def not_found(error: Exception) -> Response[str]:  # noqa: ARG001
    """Answer a path that does not exist."""
    path = app.current_event.path
    return _problem(problem(HTTPStatus.NOT_FOUND, "no-such-path", f"There is nothing at {path}."))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Route one request."""
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    return app.resolve(routable(event), context)


def _parameter(name: str, in_path: str) -> str:
    """A path's parameter: as the gateway read it, if it did."""
    return app.current_event.path_parameters.get(name, in_path)


def _query() -> dict[str, str]:
    return app.current_event.query_string_parameters


def _page() -> Page:
    return parse_page(_query(), _excluded())


def _wanted() -> RecommendationRequest:
    return parse_recommendations(_query(), _excluded())


def _excluded() -> list[str]:
    return app.current_event.resolved_query_string_parameters.get("exclude", [])


def _settings() -> PredictSettings:
    return PredictSettings.from_environ(os.environ)


def _answer(value: Mapping[str, object]) -> Response[str]:
    return Response(*answered(value))


def _problem(value: Mapping[str, object]) -> Response[str]:
    return Response(*refused(value))
