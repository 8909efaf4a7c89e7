"""Which catalogs there are, and what became of their runs."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from recommender.api.queries import MAX_RUNS

from functions.predict import app
from testbed.events import api_call
from testbed.runs import Outside, again, manifest_of, promoted
from testbed.stage import Stage


def get(stage: Stage, path: str, **query: str) -> Mapping[str, Any]:
    event = api_call("GET", f"/v1/catalogs{path}", query=query)
    told = stage.run("Predict", app.lambda_handler, event)
    return {"status": told["statusCode"], **json.loads(told["body"])}


def test_runs_are_told_with_their_verdicts_the_newest_first(stage: Stage) -> None:
    first = promoted(stage)
    second = again(stage, Outside(stage, sign=-1))
    records = [manifest_of(stage, one) for one in (second, first)]
    answer = get(stage, "/films/runs")
    assert answer["found"] == 2
    told = {one["run_id"]: one for one in answer["runs"]}
    assert [one["run_id"] for one in answer["runs"]] == sorted(told, reverse=True)
    for record in records:
        one = told[record["runId"]]
        assert (one["outcome"], one["started_at"], one["finished_at"]) == tuple(
            record[name] for name in ("outcome", "startedAt", "finishedAt")
        )
        assert one["summary"].startswith("films: ")
        found = record["evaluation"]["models"]["like"]
        assert one["verdicts"]["like"] == {
            "verdict": found["verdict"],
            "reasons": found["reasons"],
        }
    outcomes = {told[record["runId"]]["outcome"] for record in records}
    assert outcomes == {"promoted", "rejected"}
    pages = [get(stage, "/films/runs", limit="1", offset=str(at))["runs"] for at in range(3)]
    assert [one for page in pages for one in page] == answer["runs"]


def test_a_run_is_told_by_its_manifest(stage: Stage) -> None:
    record = manifest_of(stage, promoted(stage))
    assert get(stage, f"/films/runs/{record['runId']}") == {"status": 200, **record}


def test_a_run_without_a_record_is_unfinished(stage: Stage) -> None:
    stage.s3.put_object(
        Bucket=stage.artifacts, Key="runs/films/20261127t000000-0123456789/plan.json", Body=b"{}"
    )
    (told,) = get(stage, "/films/runs")["runs"]
    assert told == {"run_id": "20261127t000000-0123456789", "outcome": "unfinished"}


@pytest.mark.parametrize("run", ["none", "20261127t000000-0123456789", "%2e%2e", "a%2Fb", "x" * 99])
def test_a_run_that_is_none_is_not_found(stage: Stage, run: str) -> None:
    answer = get(stage, f"/films/runs/{run}")
    assert (answer["status"], answer["type"]) == (404, "urn:matinee:problem:unknown-run")


def test_a_catalog_that_is_none_is_not_found(stage: Stage) -> None:
    assert get(stage, "/films/runs")["type"] == "urn:matinee:problem:unknown-catalog"
    assert get(stage, "/Films/runs")["type"] == "urn:matinee:problem:invalid-catalog-name"
    assert get(stage, "/films/runs", limit=str(MAX_RUNS + 1))["status"] == 400


def test_catalogs_are_named_page_by_page(stage: Stage) -> None:
    assert get(stage, "") == {"status": 200, "found": 0, "catalogs": []}
    for name in ("shop", "films", "a-1"):
        stage.s3.put_object(Bucket=stage.artifacts, Key=f"current/{name}.json", Body=b"{}")
    assert get(stage, "")["catalogs"] == ["a-1", "films", "shop"]
    assert get(stage, "", limit="1", offset="1") == {
        "status": 200,
        "found": 3,
        "catalogs": ["films"],
    }
