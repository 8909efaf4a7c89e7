"""The article's way: MovieLens-100K, dropped, trained, gated, served, corrected, served again."""

import io
import json
import threading
import time
import warnings
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from local.client.movielens import MovieLens
from local.emulator.stack import Stack
from testbed.catalogs import Catalog


@pytest.fixture(scope="module")
def first(stack: Stack, movielens: MovieLens) -> Catalog:
    catalog = Catalog(stack, "ml-100k")
    # What SageMaker's built-in image would be given: ids alone, likes as labels, Adam.
    adam = {"features": {}, "hyperparameters": {"solver": "adam", "num_factors": "64"}}
    catalog.put("config.json", json.dumps(adam).encode(), folder="catalogs")
    catalog.put("items.u.item", movielens.items.read_bytes(), folder="catalogs")
    catalog.put("test/ua.test", movielens.test.read_bytes())
    catalog.put("ua.base", movielens.train.read_bytes())
    catalog.settle(1)
    return catalog


@pytest.fixture(scope="module")
def second(first: Catalog, movielens: MovieLens) -> dict[str, Any]:
    """Correct five ratings, with prediction calls all the while."""
    before = {"manifest": first.manifests()[-1], "config": first.endpoint()["EndpointConfigName"]}
    rows = [line.split("\t") for line in movielens.train.read_text().splitlines()[:5]]
    body = "".join(f"{u}\t{i}\t{6 - int(r)}\t{int(t) + 1_000_000}\n" for u, i, r, t in rows)
    answers: list[tuple[int, dict[str, Any]]] = []
    done = threading.Event()

    def call_on_and_on() -> None:
        while not done.is_set():
            answers.append(first.predict(("196", "242"), ("1", "1")))

    callers = [threading.Thread(target=call_on_and_on) for _ in range(2)]
    for caller in callers:
        caller.start()
    first.put("corrections.tsv", body.encode())
    try:
        first.settle(2)
        # The container that answers may hold the old pointer for a few seconds more.
        newest, deadline = first.pointer()["runId"], time.monotonic() + 60
        while answers[-1][1].get("model_version") != newest and time.monotonic() < deadline:
            answers.append(first.predict(("196", "242")))
        answers.extend(first.predict(("196", "242")) for _ in range(50))
    finally:
        done.set()
        for caller in callers:
            caller.join()
    return {**before, "rows": rows, "answers": answers}


def test_encoding_reports_the_articles_figures(first: Catalog) -> None:
    counts = first.manifests()[0]["counts"]
    assert (counts["train_rows"], counts["test_rows"]) == (90_570, 9_430)
    assert (counts["users"], counts["items"], counts["feature_dim"]) == (943, 1_682, 2_625)
    assert counts["train_non_zeros"] == 181_140
    assert round(100 * counts["sparsity"], 2) == 99.92
    assert round(counts["train_positive_share"], 2) == 0.55
    assert round(counts["test_positive_share"], 2) == 0.58
    root = f"runs/ml-100k/{first.manifests()[0]['runId']}/"
    assert len(first.artifact(f"{root}train/part-00000.pbr")) == 5_796_480


def test_the_train_file_is_the_sagemaker_sdks_to_the_byte(
    first: Catalog, movielens: MovieLens
) -> None:
    rows = np.loadtxt(movielens.train, dtype=np.int64)
    columns = np.stack([rows[:, 0] - 1, 943 + rows[:, 1] - 1], axis=1).ravel()
    matrix = csr_matrix(
        (np.ones(len(columns), np.float32), columns, np.arange(0, len(columns) + 1, 2)),
        shape=(len(rows), 2_625),
    )
    expected = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own imports warn
        from sagemaker.amazon.common import write_spmatrix_to_sparse_tensor
    write_spmatrix_to_sparse_tensor(expected, matrix, (rows[:, 2] >= 4).astype(np.float32))
    root = f"runs/ml-100k/{first.manifests()[0]['runId']}/"
    assert first.artifact(f"{root}train/part-00000.pbr") == expected.getvalue()


def test_the_model_is_better_than_the_article_says(first: Catalog) -> None:
    evaluation = first.manifests()[0]["evaluation"]
    assert evaluation["verdict"] == "promoted"
    challenger = evaluation["challenger"]
    assert challenger["cross_entropy"] <= 0.5650
    assert challenger["auc"] >= 0.765
    assert challenger["f1"] >= 0.7456
    assert challenger["accuracy"] >= 0.710
    assert challenger["cross_entropy"] < evaluation["baseline"]["cross_entropy"]


def test_api_scores_are_the_evaluations_own(first: Catalog) -> None:
    root = f"runs/ml-100k/{first.pointer()['runId']}/"
    vocabulary = json.loads(first.artifact(f"{root}vocabulary/vocabulary.json"))
    factors = np.load(io.BytesIO(first.artifact(f"{root}factors/factors.npz")))
    pairs = np.load(io.BytesIO(first.artifact(f"{root}vocabulary/pairs.npz")))
    users, items, labels = pairs["test_users"], pairs["test_items"], pairs["test_labels"]
    raw = factors["bias"] + factors["user_weights"][users] + factors["item_weights"][items]
    raw = raw + (factors["user_factors"][users] * factors["item_factors"][items]).sum(axis=1)
    expected = 1 / (1 + np.exp(-raw.astype(float)))
    # They are the scores that the verdict was made of ...
    loss = -np.mean(labels * np.log(expected) + (1 - labels) * np.log(1 - expected))
    reported = json.loads(first.artifact(f"{root}metrics.json"))["challenger"]["cross_entropy"]
    assert loss == pytest.approx(reported, abs=1e-6)
    # ... and the API's.
    some = np.linspace(0, len(users) - 1, 500).astype(int)
    names = zip(users[some], items[some], strict=True)
    status, answer = first.predict(
        *((vocabulary["users"][user], vocabulary["items"][item]) for user, item in names)
    )
    assert status == 200
    scores = np.array([one["score"] for one in answer["predictions"]])
    assert np.abs(scores - expected[some]).max() < 1e-5


def test_everybody_gets_ten_titles_and_nothing_they_rated(
    first: Catalog, movielens: MovieLens
) -> None:
    run = first.pointer()["runId"]
    lines = first.artifact(f"runs/ml-100k/{run}/recommendations/part-00000.jsonl").splitlines()
    lists = {row["user"]: row["items"] for row in map(json.loads, lines)}
    assert len(lists) == 943
    rated: dict[str, set[str]] = {}
    for path in (movielens.train, movielens.test):
        for line in path.read_text().splitlines():
            user, item, *_ = line.split("\t")
            rated.setdefault(user, set()).add(item)
    for user, items in lists.items():
        assert len(items) == 10
        assert all(item["title"] for item in items)
        assert not rated[user] & {item["item"] for item in items}
    assert len({item["item"] for items in lists.values() for item in items}) > 100


def test_api_recommends_what_the_batch_did(first: Catalog) -> None:
    run = first.pointer()["runId"]
    lines = first.artifact(f"runs/ml-100k/{run}/recommendations/part-00000.jsonl").splitlines()
    batch = next(row for row in map(json.loads, lines) if row["user"] == "196")
    status, answer = first.call("users/196/recommendations?limit=10")
    assert status == 200
    assert [one["item"] for one in answer["items"]] == [one["item"] for one in batch["items"]]
    assert answer["basis"] == "personal"


def test_training_saw_its_metrics_in_the_log(first: Catalog) -> None:
    manifest = first.manifests()[0]
    metrics = manifest["trainings"]["like"]["metrics"]
    ours = manifest["evaluation"]["challenger"]
    assert metrics["test:binary_classification_cross_entropy"] == pytest.approx(
        ours["cross_entropy"], abs=1e-5
    )


def test_second_upload_moves_endpoint_and_pointer(first: Catalog, second: dict[str, Any]) -> None:
    latest = first.manifests()[-1]
    assert latest["outcome"] == "promoted"
    assert latest["runId"] != second["manifest"]["runId"]
    assert first.pointer()["runId"] == latest["runId"]
    assert first.endpoint()["EndpointConfigName"] == latest["endpoint"]["endpointConfigName"]
    assert first.endpoint()["EndpointConfigName"] != second["config"]
    assert latest["evaluation"]["championRunId"] == second["manifest"]["runId"]


def test_corrections_are_in_the_training_set(first: Catalog, second: dict[str, Any]) -> None:
    latest = first.manifests()[-1]
    assert latest["counts"]["duplicates_replaced"] == 5
    assert latest["counts"]["train_rows"] == 90_570
    root = f"runs/ml-100k/{latest['runId']}/"
    vocabulary = json.loads(first.artifact(f"{root}vocabulary/vocabulary.json"))
    pairs = np.load(io.BytesIO(first.artifact(f"{root}vocabulary/pairs.npz")))
    for user, item, rating, _ in second["rows"]:
        at = np.flatnonzero(
            (pairs["train_users"] == vocabulary["users"].index(user))
            & (pairs["train_items"] == vocabulary["items"].index(item))
        )
        assert [float(label) for label in pairs["train_labels"][at]] == [
            float(6 - int(rating) >= 4)
        ]


def test_no_call_failed_while_the_model_changed(second: dict[str, Any]) -> None:
    assert len(second["answers"]) > 50
    assert {status for status, _ in second["answers"]} == {200}
    versions = {answer["model_version"] for _, answer in second["answers"]}
    assert len(versions) == 2


def test_each_answer_is_of_the_version_it_names(first: Catalog, second: dict[str, Any]) -> None:
    scores: dict[str, set[float]] = {}
    for _, answer in second["answers"]:
        scores.setdefault(answer["model_version"], set()).add(answer["predictions"][0]["score"])
    assert all(len(found) == 1 for found in scores.values())
    assert len(set.union(*scores.values())) == 2


def test_the_old_run_stays_readable(first: Catalog, second: dict[str, Any]) -> None:
    root = f"runs/ml-100k/{second['manifest']['runId']}/"
    for name in ("manifest.json", "metrics.json", "report.html", "vocabulary/vocabulary.json"):
        assert first.artifact(root + name)


def test_model_shows_the_serving_manifest(first: Catalog, second: dict[str, Any]) -> None:
    status, answer = first.call("model")
    assert status == 200
    assert answer["runId"] in {one["runId"] for one in first.manifests()}
    assert answer["evaluation"]["challenger"]["auc"] > 0.7


def test_the_same_files_are_not_trained_twice(
    first: Catalog, second: dict[str, Any], movielens: MovieLens
) -> None:
    jobs = len(
        first.stack.client("sagemaker").list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    )
    runs = len(first.executions())
    detail = {
        "bucket": {"name": first.stack.outputs["RatingsBucketName"]},
        "object": {"key": "ratings/ml-100k/ua.base"},
    }
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    first.stack.client("lambda").invoke(
        FunctionName="matinee-admit-upload", Payload=json.dumps(event).encode()
    )
    last = first.settle(runs + 1)[-1]
    assert first.output(last)["outcome"] == "unchanged"
    after = first.stack.client("sagemaker").list_training_jobs(MaxResults=100)
    assert len(after["TrainingJobSummaries"]) == jobs


def test_lists_are_far_better_than_the_most_popular_movies(first: Catalog) -> None:
    lists = first.manifests()[0]["evaluation"]["lists"]
    ndcg = {name: told["ndcg@10"]["mean"] for name, told in lists["methods"].items()}
    assert ndcg["ranking"] > 0.305
    assert lists["methods"]["ranking"]["hit_rate@10"]["mean"] > 0.845
    assert ndcg["ranking"] > ndcg["item-to-item"] > ndcg["popularity"] > ndcg["like"]


def test_users_whom_the_ranking_model_never_saw_are_served_as_well(first: Catalog) -> None:
    unseen = first.manifests()[0]["evaluation"]["lists"]["unseen"]
    assert unseen["folded_in"]["users"] > 30
    folded, popular = (unseen[name]["ndcg@10"]["mean"] for name in ("folded_in", "popularity"))
    assert folded > 1.5 * popular


def test_a_stranger_gets_what_goes_with_a_few_liked_movies(first: Catalog) -> None:
    ratings = [{"item": item, "rating": 5} for item in ("50", "172", "181")]
    status, answer = first.call("recommendations", {"ratings": ratings, "explain": True})
    assert (status, answer["basis"], answer["items_known"]) == (200, "ratings", 3)
    for item in answer["items"]:
        because = item["because"]
        assert {one["item"] for one in because} == {"50", "172", "181"}
        assert sum(one["share"] for one in because) == pytest.approx(item["score"], rel=1e-5)
