"""Pair lists on the local stack: a real batch transform job, against the API's own answers."""

import json
import time
from collections.abc import Callable
from typing import Any

from testbed.catalogs import Catalog, planted


def executions(catalog: Catalog) -> list[dict[str, Any]]:
    found = catalog.stack.client("stepfunctions").list_executions(
        stateMachineArn=catalog.stack.outputs["ScoringMachineArn"]
    )["executions"]
    return [dict(one) for one in found if one["name"].rpartition("-")[0] == catalog.name]


def settle(catalog: Catalog, lists: int, seconds: float = 120) -> list[dict[str, Any]]:
    """Wait until so many pair lists are done with."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = executions(catalog)
        if len(found) >= lists and all(one["status"] != "RUNNING" for one in found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{catalog.name}: {executions(catalog)}")


def kept(catalog: Catalog) -> dict[str, bytes]:
    """Everything under ``scores/`` of a catalog, by the end of its key."""
    root = f"scores/{catalog.name}/"
    listed = catalog.stack.client("s3").list_objects_v2(
        Bucket=catalog.stack.outputs["ArtifactsBucketName"], Prefix=root
    )
    keys = [one["Key"] for one in listed.get("Contents", [])]
    return {key.removeprefix(root).partition("/")[2]: catalog.artifact(key) for key in keys}


def rows_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_a_pair_list_is_scored_as_the_api_answers_it(
    new_catalog: Callable[..., Catalog],
    notices: Callable[[str | None], list[dict[str, Any]]],
) -> None:
    catalog = new_catalog("pair-list")
    catalog.configure()
    catalog.put("items.csv", b"item,title\n2,Second\n", "catalogs")
    catalog.put("ratings.tsv", planted())
    catalog.settle(1)
    runs = len(catalog.executions())
    pairs = [(str(user), str(item)) for user in range(1, 21) for item in range(1, 21)]
    pairs += [("nobody", "2"), ("1", "nothing"), ("nobody", "nothing")]
    lines = ["user,item,rating", *(f"{user},{item},?" for user, item in pairs)]
    lines[3:3] = ["only-a-user", ",7,5", "1,2,3,4,5"]
    catalog.put("some pairs.csv", "\n".join(lines).encode(), "scoring")

    (execution,) = settle(catalog, 1)
    assert execution["status"] == "SUCCEEDED"
    objects = kept(catalog)
    manifest = json.loads(objects["manifest.json"])
    assert manifest["counts"] == {
        "rows": len(pairs) + 3,
        "rejected": 3,
        "scored": len(pairs),
        "by_transform": len(pairs) - 1,
        "by_factors": 1,
        "unknown_users": 2,
        "unknown_items": 2,
    }
    assert (manifest["scored_by"], manifest["run"]) == ("like", catalog.pointer()["runId"])
    assert 0 < manifest["seconds"] < 120
    assert objects["_SUCCESS"] == b""
    assert [one["line"] for one in rows_of(objects["rejects.jsonl"])] == [4, 5, 6]

    status, answer = catalog.predict(*pairs)
    assert status == 200
    rows = rows_of(objects["part-00000.jsonl"])
    numbers = [row.pop("line") for row in rows]
    assert numbers == [2, 3, *range(7, len(lines) + 1)]
    assert rows == answer["predictions"]
    assert next(row["title"] for row in rows if row["item"] == "2") == "Second"

    jobs = catalog.stack.client("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    assert execution["name"] in {one["TransformJobName"].partition("-")[2] for one in jobs}
    assert len(catalog.executions()) == runs
    assert [one["outcome"] for one in notices(catalog.name)][-1] == "scored"


def test_pairs_may_come_before_the_ratings(
    new_catalog: Callable[..., Catalog],
    notices: Callable[[str | None], list[dict[str, Any]]],
) -> None:
    catalog = new_catalog("pairs-first")
    catalog.configure()
    catalog.put("pairs.jsonl", b'{"user": 1, "item": 2}\n{"user": 1}\n', "scoring")
    catalog.put("ratings.tsv", planted())
    catalog.settle(1)
    (execution,) = settle(catalog, 1)
    assert execution["status"] == "SUCCEEDED"
    (row,) = rows_of(kept(catalog)["part-00000.jsonl"])
    assert row == {"line": 1, **catalog.predict(("1", "2"))[1]["predictions"][0]}
    told = [one["outcome"] for one in notices(catalog.name)]
    assert told[0] == "waiting"
    assert sorted(told[1:]) == ["promoted", "scored"]
