"""How the lists of all users are written is a setting of the catalog."""

import io
import json

import pyarrow.parquet as pq
from recommender.pipeline.run_files import RunFiles

from testbed import films
from testbed.runs import Outside, admit, pointer, promoted, run
from testbed.stage import Stage


def lists_of(stage: Stage) -> list[str]:
    files = RunFiles("films", pointer(stage)["runId"])
    return [
        key.removeprefix(files.all_recommendations) for key in stage.listing(files.root + "rec")
    ]


def test_usually_lists_are_json_lines_with_titles_and_say_when_they_are_whole(stage: Stage) -> None:
    promoted(stage)
    assert lists_of(stage) == ["_SUCCESS", "part-00000.jsonl"]
    first = stage.kept(RunFiles("films", pointer(stage)["runId"]).recommendations(0)).split(b"\n")[
        0
    ]
    assert "title" in json.loads(first)["items"][0]


def test_the_success_object_is_written_behind_all_parts(stage: Stage) -> None:
    stage.calls.clear()
    done = run_promoted_again(stage)
    written = [
        call.parameters["Key"]
        for call in stage.calls
        if call.operation == "PutObject" and f"{done}/recommendations/" in call.parameters["Key"]
    ]
    assert written[-1].endswith("/_SUCCESS")
    assert len(written) > 1


def run_promoted_again(stage: Stage) -> str:
    promoted(stage)
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    done = run(stage, admit(stage)["execution"])
    return str(done.data["encoding"]["runId"])


def test_a_catalog_may_have_them_as_parquet_without_titles(stage: Stage) -> None:
    settings = {"recommendations": {"format": "parquet", "titles": False}}
    stage.upload("catalogs/films/config.json", json.dumps(settings))
    promoted(stage)
    assert lists_of(stage) == ["_SUCCESS", "part-00000.parquet"]
    key = RunFiles("films", pointer(stage)["runId"]).recommendations(0, "parquet")
    table = pq.read_table(io.BytesIO(stage.kept(key)))
    assert "title" not in table.column_names
    ranks = table.to_pydict()
    assert ranks["rank"][:2] == [1, 2]
    assert "anna" in ranks["user"]


def test_who_is_withdrawn_leaves_lists_in_parquet_too(stage: Stage) -> None:
    stage.upload("catalogs/films/config.json", '{"recommendations": {"format": "parquet"}}')
    promoted(stage)
    key = RunFiles("films", pointer(stage)["runId"]).recommendations(0, "parquet")
    assert "anna" in users_of(stage.kept(key))
    for where, which in ((films.TRAIN_KEY, "train"), (films.TEST_KEY, "test")):
        rows = films.ratings(which).splitlines(keepends=True)
        stage.upload(where, "".join(row for row in rows if not row.startswith("anna,")))
    run(stage, admit(stage)["execution"], Outside(stage, sign=-1))
    assert users_of(stage.kept(key)) == set(films.USERS) - {"anna"}


def users_of(data: bytes) -> set[str]:
    return set(pq.read_table(io.BytesIO(data)).to_pydict()["user"])
