"""What API callers may ask in a query."""

import pytest
from recommender.api.queries import (
    MAX_EXCLUDED,
    MAX_LIMIT,
    MAX_OFFSET,
    Page,
    RecommendationRequest,
    parse_page,
    parse_recommendations,
    parse_search,
)
from recommender.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ({}, RecommendationRequest()),
        ({"limit": "1"}, RecommendationRequest(1, exclude_seen=True)),
        ({"limit": str(MAX_LIMIT)}, RecommendationRequest(MAX_LIMIT, exclude_seen=True)),
        ({"limit": "007"}, RecommendationRequest(7, exclude_seen=True)),
        ({"exclude_seen": "false"}, RecommendationRequest(10, exclude_seen=False)),
        ({"exclude_seen": "False"}, RecommendationRequest(10, exclude_seen=False)),
        ({"exclude_seen": "TRUE"}, RecommendationRequest()),
        ({"other": "1"}, RecommendationRequest()),
    ],
)
def test_a_query_is_read(query: dict[str, str], read: RecommendationRequest) -> None:
    assert parse_recommendations(query) == read


@pytest.mark.parametrize(
    "limit", ["", "0", "501", "-1", "+5", "1.0", "ten", " 5", "1e1", "٣", "²", "1" * 5_000]
)
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_recommendations({"limit": limit})
    assert caught.value.where == "limit"
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("exclude", ["", "yes", "1", "x" * 5_000])
def test_a_flag_that_is_none_is_refused(exclude: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_recommendations({"exclude_seen": exclude})
    assert caught.value.where == "exclude_seen"
    assert len(str(caught.value)) < 100


def test_a_part_of_a_list_is_read() -> None:
    read = parse_page({"limit": "3", "offset": str(MAX_OFFSET), "exclude": "b"}, ["a", "b"])
    assert read == Page(3, MAX_OFFSET, ("a", "b"))
    assert parse_page({}) == Page()


@pytest.mark.parametrize(
    ("query", "exclude", "where"),
    [
        ({"offset": "-1"}, [], "offset"),
        ({"offset": str(MAX_OFFSET + 1)}, [], "offset"),
        ({}, [""], "exclude"),
        ({}, ["x" * 257], "exclude"),
        ({}, ["a"] * (MAX_EXCLUDED + 1), "exclude"),
    ],
)
def test_a_part_that_is_none_is_refused(
    query: dict[str, str], exclude: list[str], where: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_page(query, exclude)
    assert caught.value.where == where


@pytest.mark.parametrize("query", [{}, {"query": ""}, {"query": " "}, {"query": "x" * 257}])
def test_a_search_for_nothing_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_search(query)
    assert caught.value.where == "query"
