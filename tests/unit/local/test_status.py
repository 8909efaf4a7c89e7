"""What `make status` says of a stack."""

import boto3
import pytest
from recommender.pipeline.settings import AdmitUploadSettings
from recommender.steps import admission

from local.client.status import sentences, status
from testbed import films, template
from testbed.runs import Outside, admit, promoted, run
from testbed.stage import Stage


def told(stage: Stage) -> str:
    outputs = {
        "RatingsBucketName": stage.ratings,
        "ArtifactsBucketName": stage.artifacts,
        "StateTableName": stage.table,
    }
    return "\n".join(sentences(*status(boto3.client, outputs)))


def test_an_empty_stack_says_what_to_do(stage: Stage) -> None:
    assert "No catalog yet: upload a file of ratings as ratings/<catalog>/<file>." in told(stage)


def test_a_catalog_that_serves(stage: Stage) -> None:
    run_id = promoted(stage).data["encoding"]["runId"]
    text = told(stage)
    assert "films: 2 files of ratings, 1 beside them" in text
    assert f"serves    like model of {run_id}, ranking model of {run_id}" in text
    assert "new model serving" in text
    assert "now" not in text


def test_a_catalog_that_waits_one_that_works_and_one_that_failed(stage: Stage) -> None:
    stage.upload("catalogs/shop/config.json", "{}")
    execution = admit(stage, "catalogs/shop/config.json")["execution"]
    run(stage, execution)
    assert "shop: 0 files of ratings, 1 beside them" in told(stage)
    assert "now       waits for ratings: upload a file as ratings/shop/<file>" in told(stage)

    stage.upload(films.TRAIN_KEY, films.ratings("train"))
    stage.upload(films.TEST_KEY, films.ratings("test"))
    execution = admit(stage)["execution"]
    admit(stage)
    assert f"run {execution} is at work, and files that came since wait" in told(stage)

    def fail(data: dict[str, object]) -> None:
        for name, job in stage.sagemaker.jobs.items():
            if job["TrainingJobStatus"] == "InProgress":
                stage.sagemaker.end(name, "Failed", "Failed", "no capacity")

    run(stage, execution, Outside(stage, trains=fail))
    text = told(stage)
    assert "no capacity" in text
    assert "serves    nothing yet" in text
    assert "another one tries again at" in text


@pytest.mark.parametrize("key", ["u.data", "Ratings/films/u.data", "ratings/My Films/a.csv"])
def test_what_nobody_reads_is_listed_with_where_it_should_lie(stage: Stage, key: str) -> None:
    for n in range(3):
        stage.upload(f"{key}{n}", "1,2,3\n")
    text = told(stage)
    assert f"Nobody reads {key}0 and 2 more in" in text
    assert text.count("Nobody reads") == 1


def test_a_run_that_nobody_ended_is_seen(stage: Stage) -> None:
    settings = AdmitUploadSettings.from_environ(template.environment("AdmitUpload"))
    stage.upload(films.TRAIN_KEY, films.ratings("train"))
    execution, _ = admission.admit("films", settings)
    assert f"run {execution} is at work" in told(stage)
