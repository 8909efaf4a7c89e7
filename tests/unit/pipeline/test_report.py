"""The manifest as a page for people."""

import itertools
from html.parser import HTMLParser

import pytest
from recommender.pipeline.report import render

RECORD: dict[str, object] = {
    "catalog": "films",
    "outcome": "promoted",
    "runId": "20261122t100000-0123456789",
    "execution": "films-000001",
    "startedAt": "2026-11-22T10:00:00Z",
    "finishedAt": "2026-11-22T10:05:00Z",
    "counts": {"rows": 3, "sparsity": 0.90909},
    "models": {"like": {"epochs": "40"}, "ranking": {"sweeps": "8"}},
    "evaluation": {
        "challenger": {"accuracy": 0.71589},
        "champion": None,
        "baseline": {"accuracy": 0.7},
        "models": {
            "like": {"verdict": "promoted", "reasons": ["better"]},
            "ranking": {"verdict": "rejected", "reasons": ["worse", "much"]},
        },
        "lists": {
            "methods": {
                "ranking": {
                    "ndcg@10": {"mean": 0.321, "standard_error": 0.0074},
                    "coverage@10": 0.28,
                    "users": 934,
                },
                "popularity": {"ndcg@10": {"mean": 0.127, "standard_error": None}},
            },
            "unseen": None,
        },
        "verdict": "promoted",
        "reasons": ["better"],
    },
}


class Page(HTMLParser):
    """Tags and text of a page; complains about tags that do not close in turn."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(data.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def cells(page: Page) -> dict[str, str]:
    """Each cell by the heading before it."""
    words = [word for word in page.text if word.strip()]
    return dict(itertools.pairwise(words))


def test_every_figure_is_on_the_page() -> None:
    page = Page(render(RECORD, "films: new model serving"))
    found = cells(page)
    assert found["rows"] == "3"
    assert found["sparsity"] == "0.9091"
    assert found["epochs"] == "40"
    assert found["runId"] == "20261122t100000-0123456789"
    assert found["sweeps"] == "8"
    headings = ("Challenger (like model)", "Baseline (like model)", "Lists", "Models")
    for name in (*headings, "films: new model serving"):
        assert name in page.text
    assert "0.7159" in page.text
    assert "Champion (like model)" not in page.text
    assert found["like"] == "promoted. better"


def test_ways_to_make_lists_stand_below_each_other_with_their_standard_errors() -> None:
    page = Page(render(RECORD, "films: new model serving"))
    row = page.text[page.text.index("lists by") :]
    told = [word for word in row if word.strip()]
    assert told[:3] == ["lists by", "NDCG@10", "hit rate@10"]
    after = told[told.index("users") + 1 :]
    assert after[:4] == ["ranking", "0.3210 ± 0.0074", "0.2800", "934"]
    assert after[4:6] == ["popularity", "0.1270"]


def test_a_page_of_a_run_that_did_not_come_far_tells_its_error() -> None:
    record = {
        "catalog": "films",
        "outcome": "refused",
        "error": {"type": "MissingRatingsError", "message": "no file"},
    }
    found = cells(Page(render(record, "films: upload refused")))
    assert found["type"] == "MissingRatingsError"
    assert found["message"] == "no file"


@pytest.mark.parametrize(
    "nasty",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</style></title><script>",
        "{title} {0} %s",
        "&lt;b&gt;",
        "\ud800",
    ],
)
def test_no_value_can_become_part_of_the_page(nasty: str) -> None:
    plain = Page(render(RECORD, "summary"))
    record = {
        **RECORD,
        "catalog": nasty,
        "runId": nasty,
        "counts": {nasty: nasty},
        "models": {nasty: {nasty: nasty}},
        "error": {"type": nasty, "message": nasty},
    }
    page = Page(render(record, nasty))
    assert page.tags == plain.tags
    assert set(page.attributes) == set(plain.attributes)
    if nasty.isprintable():
        assert nasty in page.text


def test_a_page_loads_nothing_from_elsewhere() -> None:
    data = render(RECORD, "summary")
    assert b"http" not in data
    assert b"<script" not in data
    assert b"url(" not in data


def test_every_column_of_a_side_file_is_told_with_what_became_of_it() -> None:
    features = [
        {"side": "item", "column": "genres", "kind": "several", "features": 19, "bounds": []},
        {"side": "user", "column": "zip", "none": "it has 795 distinct values in 943 rows"},
    ]
    found = cells(Page(render({**RECORD, "features": features}, "films: new model serving")))
    assert found["item genres"] == "19 features (several)"
    assert found["user zip"] == "no features: it has 795 distinct values in 943 rows"
