"""Uploads as people make them: many at once, damaged, oddly named, strange."""

import io
import json
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from testbed.catalogs import Catalog, planted


def test_ten_files_at_once_and_one_event_five_times_make_one_run_or_two(
    new_catalog: Callable[..., Catalog],
) -> None:
    catalog = new_catalog("ten-at-once")
    catalog.configure()
    lines = planted().splitlines(keepends=True)
    parts = {f"part-{n}.tsv": b"".join(lines[n::10]) for n in range(10)}
    detail = {
        "bucket": {"name": catalog.stack.outputs["RatingsBucketName"]},
        "object": {"key": f"ratings/{catalog.name}/part-3.tsv"},
    }
    event = json.dumps(
        {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    ).encode()
    client = catalog.stack.client("lambda")
    work = [
        *(lambda n=n, d=d: catalog.put(n, d) for n, d in parts.items()),
        *[lambda: client.invoke(FunctionName="matinee-admit-upload", Payload=event)] * 5,
    ]
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ended = catalog.settle(1)
    assert {one["status"] for one in ended} == {"SUCCEEDED"}
    trained = [one for one in ended if catalog.output(one)["outcome"] != "unchanged"]
    assert len(trained) in (1, 2)
    last = catalog.manifests()[-1]
    assert last["counts"]["files"] == 10
    assert last["counts"]["train_rows"] + last["counts"]["test_rows"] == len(lines)


def test_three_bad_rows_are_listed_and_the_run_succeeds(
    new_catalog: Callable[..., Catalog],
    notices: Callable[[str | None], list[dict[str, Any]]],
) -> None:
    catalog = new_catalog("three-bad-rows")
    catalog.configure()
    good = planted().splitlines(keepends=True)
    good[4:4] = [b"12\t7\tfive\t880000000\n"]
    good[9:9] = [b"12\n"]
    good[19:19] = [b"\t7\t3\t880000000\n"]
    catalog.put("with-flaws.tsv", b"".join(good))
    catalog.settle(1)
    manifest = catalog.manifests()[-1]
    assert manifest["outcome"] == "promoted"
    assert manifest["counts"]["rejected"] == 3
    root = f"runs/{catalog.name}/{manifest['runId']}/"
    rejects = [
        json.loads(one) for one in catalog.artifact(f"{root}rejects/rejects.jsonl").splitlines()
    ]
    assert [one["line"] for one in rejects] == [5, 10, 20]
    assert {one["key"] for one in rejects} == {f"ratings/{catalog.name}/with-flaws.tsv"}
    assert all(one["reason"] for one in rejects)
    assert [one["outcome"] for one in notices(catalog.name)] == ["promoted"]


def test_a_file_that_is_no_ratings_changes_nothing_and_the_next_upload_works(
    new_catalog: Callable[..., Catalog],
    notices: Callable[[str | None], list[dict[str, Any]]],
) -> None:
    catalog = new_catalog("not-ratings")
    catalog.configure()
    catalog.put("good.tsv", planted())
    catalog.settle(1)
    serving = catalog.pointer()

    catalog.put("holiday.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    # The other files are looked at once more by themselves, and are what serves.
    *_, failed, same = catalog.settle(3)
    assert failed["status"] == "FAILED"
    assert catalog.output(same)["outcome"] == "unchanged"
    assert catalog.error(failed)[0] == "MalformedRatingsError"
    manifest = catalog.manifests()[-1]
    assert manifest["outcome"] == "refused"
    assert manifest["error"]["type"] == "MalformedRatingsError"
    assert "holiday.png" in manifest["error"]["message"]
    assert "holiday.png" in notices(catalog.name)[-1]["summary"]
    assert catalog.pointer() == serving
    assert catalog.predict(("1", "1"))[0] == 200

    # The bad file still lies there; a good one is enough.
    catalog.put("more.tsv", b"61\t1\t5\t890000000\n61\t2\t1\t890000001\n")
    assert catalog.settle(4)[-1]["status"] == "SUCCEEDED"
    last = catalog.manifests()[-1]
    assert last["outcome"] == "promoted"
    assert [one["key"] for one in last["refusedFiles"]] == [f"ratings/{catalog.name}/holiday.png"]
    assert catalog.predict(("61", "3"))[1]["predictions"][0]["user_known"] is True


def test_a_deletion_starts_a_run_without_the_file(new_catalog: Callable[..., Catalog]) -> None:
    catalog = new_catalog("deletion")
    catalog.configure()
    catalog.put("good.tsv", planted())
    catalog.put("more.tsv", b"61\t1\t5\t890000000\n61\t2\t1\t890000001\n")
    catalog.settle(1)
    catalog.delete("more.tsv")
    catalog.settle(2)
    read = [one["key"] for one in catalog.manifests()[-1]["files"]]
    assert read == [f"ratings/{catalog.name}/good.tsv"]


def test_keys_and_ids_may_be_any_text(new_catalog: Callable[..., Catalog]) -> None:
    catalog = new_catalog("odd-names")
    catalog.configure()
    rows = ["user_id,item_id,rating"]
    for line in planted().decode().splitlines():
        user, item, rating, _ = line.split("\t")
        rows.append(f'zoé+{user} %41,"film, nº {item}",{rating}')
    catalog.put("été 100%+a b.csv", "\n".join(rows).encode())
    catalog.put(
        "items.csv", 'item,title\n"film, nº 2","Le Déjeuner, ""suite"""\n'.encode(), "catalogs"
    )
    catalog.settle(1)
    manifest = catalog.manifests()[-1]
    assert manifest["outcome"] == "promoted"
    assert {one["key"] for one in manifest["snapshot"] if one["key"].startswith("ratings/")} == {
        f"ratings/{catalog.name}/été 100%+a b.csv"
    }
    status, answer = catalog.predict(("zoé+1 %41", "film, nº 2"))
    assert status == 200
    assert answer["predictions"][0]["user_known"] is True
    assert answer["predictions"][0]["title"] == 'Le Déjeuner, "suite"'
    status, answer = catalog.call("users/zo%C3%A9%2B1%20%2541/recommendations?limit=3")
    assert status == 200
    assert answer["basis"] == "personal"
    assert len(answer["items"]) == 3


def test_keys_with_control_characters_stop_no_catalog(
    new_catalog: Callable[..., Catalog],
) -> None:
    catalog = new_catalog("control-characters")
    catalog.configure()
    names = ["a\x01b.tsv", "c\td.tsv", "e\nf.tsv", "g\rh.tsv", "i\x7f\ufffe.tsv"]
    lines = planted().splitlines(keepends=True)
    for n, name in enumerate(names):
        catalog.put(name, b"".join(lines[n :: len(names)]))
    catalog.settle(1)
    manifest = catalog.manifests()[-1]
    assert manifest["outcome"] == "promoted"
    assert {one["key"] for one in manifest["files"]} == {
        f"ratings/{catalog.name}/{name}" for name in names
    }
    catalog.delete(names[0])
    catalog.settle(2)
    assert {one["key"] for one in catalog.manifests()[-1]["files"]} == {
        f"ratings/{catalog.name}/{name}" for name in names[1:]
    }


def test_a_parquet_file_is_decoded_where_the_functions_run(
    new_catalog: Callable[..., Catalog],
) -> None:
    """That is a process of its own, which a function starts out of its layers."""
    catalog = new_catalog("parquet")
    catalog.configure()
    rows = [line.split("\t") for line in planted().decode().splitlines()]
    users, items, ratings, times = zip(*rows, strict=True)
    out = io.BytesIO()
    moments = pa.array([int(time) for time in times]).cast(pa.timestamp("s"))
    stars = pa.array([Decimal(rating) for rating in ratings], pa.decimal128(3, 1))
    pq.write_table(pa.table({"user": users, "item": items, "rating": stars, "time": moments}), out)
    catalog.put("ratings.parquet", out.getvalue())
    catalog.settle(1)
    assert catalog.manifests()[-1]["outcome"] == "promoted"
    assert catalog.predict(("1", "2"))[1]["predictions"][0]["user_known"] is True


def test_strangers_are_answered_and_marked(new_catalog: Callable[..., Catalog]) -> None:
    catalog = new_catalog("strangers")
    catalog.configure()
    catalog.put("ratings.tsv", planted())
    catalog.settle(1)
    status, answer = catalog.predict(("1", "2"), ("nobody", "2"), ("1", "nothing"), ("x", "y"))
    assert status == 200
    known = [(one["user_known"], one["item_known"]) for one in answer["predictions"]]
    assert known == [(True, True), (False, True), (True, False), (False, False)]
    assert all(0 < one["score"] < 1 for one in answer["predictions"])
    status, answer = catalog.call("users/nobody/recommendations")
    assert status == 200
    assert (answer["basis"], answer["user_known"], len(answer["items"])) == ("popular", False, 10)


def test_bad_requests_are_problems_of_the_400_kind(new_catalog: Callable[..., Catalog]) -> None:
    catalog = new_catalog("bad-requests")
    catalog.configure()
    catalog.put("ratings.tsv", planted())
    catalog.settle(1)
    bodies = [b"", b"{", b"[]", b'{"pairs": []}', b'{"pairs": [{"user": 1}]}', b"\xff\xfe"]
    for raw in bodies:
        status, answer = catalog.call("predictions", raw=raw)
        assert (status, answer["type"]) == (400, "urn:matinee:problem:invalid-request"), raw
        assert answer["detail"]
    status, answer = catalog.call("users/1/recommendations?limit=many")
    assert (status, answer["type"]) == (400, "urn:matinee:problem:invalid-request")
    status, answer = new_catalog("never-was").predict(("1", "1"))
    assert (status, answer["type"]) == (404, "urn:matinee:problem:unknown-catalog")


def test_an_upload_that_names_no_catalog_is_told_of(
    new_catalog: Callable[..., Catalog],
    notices: Callable[[str | None], list[dict[str, Any]]],
) -> None:
    catalog = new_catalog("Not_A_Name")
    catalog.put("ratings.tsv", planted())
    deadline = time.monotonic() + 60
    # Of no catalog, so told under none.
    while not (found := [one for one in notices(None) if catalog.name in one["key"]]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found[0]["outcome"] == "ignored"
    assert catalog.executions() == []
