"""Lists of recommendations as files, in each format."""

import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest
from recommender.pipeline.list_files import LIST_FORMATS, Lists, list_format

LISTS: Lists = [
    {
        "user": "anna",
        "basis": "personal",
        "items": [
            {"item": "1", "title": "One", "score": 0.5, "like_probability": 0.25},
            {"item": "2", "title": None, "score": 0.25, "item_by_features": True},
        ],
    },
    {"user": "bob", "basis": "popular", "items": [{"item": "1", "title": "One", "score": 7.0}]},
    {"user": "carl", "basis": "personal", "items": []},
]


def rows_of(form: str, data: bytes) -> list[dict[str, Any]]:
    if form == "jsonl":
        return [
            {"user": one["user"], "rank": rank, "item": item["item"], "score": item["score"]}
            for one in map(json.loads, data.splitlines())
            for rank, item in enumerate(one["items"], 1)
        ]
    names = ["user", "rank", "item", "score"]
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(data), columns=names).to_pylist()
    return found


@pytest.mark.parametrize("form", LIST_FORMATS)
def test_every_format_says_who_is_recommended_what_in_order(form: str) -> None:
    assert rows_of(form, list_format(form).write(LISTS)) == [
        {"user": "anna", "rank": 1, "item": "1", "score": 0.5},
        {"user": "anna", "rank": 2, "item": "2", "score": 0.25},
        {"user": "bob", "rank": 1, "item": "1", "score": 7.0},
    ]


@pytest.mark.parametrize("form", LIST_FORMATS)
def test_users_leave_a_file_and_nobody_else_does(form: str) -> None:
    data = list_format(form).write(LISTS)
    left = list_format(form).without(data, {"anna"})
    assert left is not None
    assert rows_of(form, left) == [{"user": "bob", "rank": 1, "item": "1", "score": 7.0}]
    assert list_format(form).without(data, {"nobody"}) is None


def test_a_parquet_file_has_what_the_json_has() -> None:
    found = pq.read_table(io.BytesIO(list_format("parquet").write(LISTS))).to_pylist()
    assert found[0] == {
        "user": "anna",
        "basis": "personal",
        "rank": 1,
        "item": "1",
        "title": "One",
        "score": 0.5,
        "like_probability": 0.25,
        "item_by_features": False,
    }
    assert (found[1]["title"], found[1]["like_probability"]) == (None, None)
    assert found[1]["item_by_features"] is True


def test_without_titles_there_is_no_column_of_them() -> None:
    lists = [{"user": "anna", "basis": "personal", "items": [{"item": "1", "score": 1.0}]}]
    found = pq.read_table(io.BytesIO(list_format("parquet").write(lists)))
    assert "title" not in found.column_names
