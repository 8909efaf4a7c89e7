"""Each function may do what it does, and nothing else: proved by letting it do everything.

The table says, by function, what its handler and the adapters behind it may ask of AWS. Whole runs,
good and bad, are then walked through in memory; whatever a function asked must stand in its table
and be allowed by its policy for that very resource, and whatever stands there must have been asked.
"""

import contextlib
import json
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore.exceptions import ClientError
from recommender.aws import leases, storage
from recommender.errors import LeaseLostError

from functions.admit_upload import app as admit_upload
from functions.predict import app as predict
from testbed import scoring, template
from testbed.events import api_call, execution_ended, object_created
from testbed.machine import STEPS
from testbed.needs import needs
from testbed.runs import ENDPOINT, Outside, admit, run, upload_films
from testbed.sagemaker import RefusalError
from testbed.stage import Call, Stage
from testbed.template import ACCOUNT, REGION

TABLE = {
    "AdmitUpload": {
        "dynamodb:GetItem",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
        "sagemaker:StopTrainingJob",
        "sns:Publish",
        "states:DescribeExecution",
        "states:StartExecution",
    },
    "EncodeRatings": {
        "dynamodb:UpdateItem",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:PutObject",
    },
    "StartTraining": {
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "iam:PassRole",
        "s3:GetObject",
        "s3:ListBucket",
        "sagemaker:AddTags",
        "sagemaker:CreateTrainingJob",
        "sagemaker:DescribeTrainingJob",
        "sagemaker:StopTrainingJob",
    },
    "CheckTraining": {
        "sagemaker:DescribeTrainingJob",
        "sagemaker:StopTrainingJob",
    },
    "EvaluateModel": {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    },
    "UpdateEndpoint": {
        "dynamodb:GetItem",
        "iam:PassRole",
        "s3:GetObject",
        "s3:ListBucket",
        "sagemaker:CreateEndpoint",
        "sagemaker:CreateEndpointConfig",
        "sagemaker:CreateModel",
        "sagemaker:DeleteEndpoint",
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:DescribeModel",
        "sagemaker:UpdateEndpoint",
    },
    "CheckEndpoint": {"sagemaker:DescribeEndpoint"},
    "ScoreUsers": {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    },
    "FinishRun": {
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sagemaker:DeleteEndpoint",
        "sagemaker:DescribeEndpoint",
        "sagemaker:StopTrainingJob",
        "sagemaker:UpdateEndpoint",
        "sns:Publish",
        "states:StartExecution",
    },
    "AdmitPairs": {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "sagemaker:StopTransformJob",
        "sns:Publish",
        "states:StartExecution",
    },
    "EncodePairs": {
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:PutObject",
    },
    "StartTransform": {
        "sagemaker:AddTags",
        "sagemaker:CreateTransformJob",
        "sagemaker:DescribeTransformJob",
    },
    "CheckTransform": {
        "sagemaker:DescribeTransformJob",
        "sagemaker:StopTransformJob",
    },
    "JoinScores": {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    },
    "FinishScoring": {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sagemaker:StopTransformJob",
        "sns:Publish",
    },
    "Predict": {
        "s3:GetObject",
        "s3:ListBucket",
        "sagemaker:DescribeEndpoint",
        "sagemaker:InvokeEndpoint",
    },
}


def everything(stage: Stage) -> None:
    """Let every function do all that it can."""
    uploads(stage)
    runs_that_end_well(stage)
    runs_that_end_badly(stage)
    endpoints_that_were_moved(stage)
    an_upload_that_breaks_off(stage)
    retries(stage)
    questions(stage)
    scoring.all_kinds(stage)


def uploads(stage: Stage) -> None:
    admit(stage, "ratings/No Catalog/file.csv")
    left_behind = admit(stage)["execution"]
    upload_films(stage)
    for step in ("EncodeRatings", "StartTraining"):
        event = {"catalog": "films", "execution": left_behind, "runId": run_id(stage)}
        event |= {"pollSeconds": 30, "model": "like"}
        stage.run(step, STEPS[step], event)
    stage.end(left_behind, "ABORTED")
    next_one = admit(stage)["execution"]  # takes over, and stops the job
    admit(stage)
    stage.end(next_one, "ABORTED")
    event = execution_ended(stage.machine, next_one, "films", "ABORTED")
    stage.run("AdmitUpload", admit_upload.lambda_handler, event)
    stage.end(stage.lease()["owner"], "ABORTED")


def run_id(stage: Stage) -> str:
    return str(stage.lease().get("run_id", ""))


def runs_that_end_well(stage: Stage) -> None:
    upload_films(stage)
    run(stage, admit(stage)["execution"])

    def upload_and_train(data: dict[str, Any]) -> None:
        stage.upload("ratings/films/late.csv", "user,item,rating\nanna,242,2\n")
        stage.run(
            "AdmitUpload",
            admit_upload.lambda_handler,
            object_created(stage.ratings, "ratings/films/late.csv"),
        )
        Outside(stage).train(data)

    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    done = run(stage, admit(stage)["execution"], Outside(stage, trains=upload_and_train))
    run(stage, done.data["finish"]["next"], Outside(stage, sign=-1))
    run(stage, admit(stage)["execution"])  # nothing new


def runs_that_end_badly(stage: Stage) -> None:
    stage.upload("ratings/films/bad.csv", "user,item,rating\nanna,242,many\n")
    run(stage, admit(stage)["execution"])
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,3\n")

    def overdue(data: dict[str, Any]) -> None:
        job = stage.sagemaker.jobs[data["training"]["trainingJobName"]]
        job["CreationTime"] -= timedelta(days=9)

    run(stage, admit(stage)["execution"], Outside(stage, trains=overdue))


def endpoints_that_were_moved(stage: Stage) -> None:
    """A late step moves the endpoint back; a job is started late; the like model is given up."""
    done = run(stage, admit(stage)["execution"])
    serving = stage.sagemaker.endpoints[ENDPOINT]
    (before, *_) = (
        name for name in stage.sagemaker.configs if name != serving["EndpointConfigName"]
    )
    (variant,) = stage.sagemaker.configs[before]["ProductionVariants"]
    variants = [{"VariantName": variant["VariantName"]}]
    serving |= {"EndpointConfigName": before, "ProductionVariants": variants}
    run(stage, admit(stage)["execution"])  # nothing new
    stage.sagemaker.settle(ENDPOINT)
    late = {"catalog": "films", "execution": "another", "runId": done.data["encoding"]["runId"]}
    late |= {"model": "like", "pollSeconds": 30}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(leases, "note_training_job", lambda *_: None)
        with pytest.raises(LeaseLostError):
            stage.run("StartTraining", STEPS["StartTraining"], late)
    look_after = {"source": "aws.events", "detail": {}}
    stage.run("AdmitUpload", admit_upload.lambda_handler, look_after)
    for config in ('{"models": ["ranking"]}', "{}"):
        stage.upload("catalogs/films/config.json", config)
        run(stage, admit(stage)["execution"])
        if stage.sagemaker.endpoints[ENDPOINT]["EndpointStatus"] == "Deleting":
            stage.sagemaker.settle(ENDPOINT)


def an_upload_that_breaks_off(stage: Stage) -> None:
    """S3 takes small parts, but completes no object of them."""
    upload_films(stage)
    event = {"catalog": "films", "execution": admit(stage)["execution"]}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(storage, "PART_BYTES", 1000)
        with pytest.raises(ClientError, match="EntityTooSmall"):
            stage.run("EncodeRatings", STEPS["EncodeRatings"], event)
    stage.end(event["execution"], "ABORTED")


def retries(stage: Stage) -> None:
    """Steps that died after they did their work, and steps that find an endpoint in ruins."""
    execution = admit(stage)["execution"]
    step = {"catalog": "films", "execution": execution, "pollSeconds": 30}
    encoded = stage.run("EncodeRatings", STEPS["EncodeRatings"], step)
    step |= {"runId": encoded["runId"], "model": "like"}
    for _ in range(2):
        job = stage.run("StartTraining", STEPS["StartTraining"], step)["trainingJobName"]
    Outside(stage).train({"runId": encoded["runId"], "training": {"trainingJobName": job}})
    step["modelUri"] = stage.sagemaker.jobs[job]["ModelArtifacts"]["S3ModelArtifacts"]
    stage.sagemaker.endpoints[ENDPOINT]["EndpointStatus"] = "Failed"
    for _ in range(2):
        with contextlib.suppress(Exception):  # busy, until it is deleted
            stage.run("UpdateEndpoint", STEPS["UpdateEndpoint"], step)
    for name in ("StartTraining", "UpdateEndpoint", "ScoreUsers"):
        lost = {
            **step,
            "runId": "lost",
            "shard": {"number": 0, "first": 0, "last": 1, "likes": None},
        }
        with pytest.raises(ClientError, match="NoSuchKey"):
            stage.run(name, STEPS[name], lost)


def questions(stage: Stage) -> None:
    def ask(method: str, path: str, body: str | None = None) -> None:
        stage.run("Predict", predict.lambda_handler, api_call(method, path, body=body))

    stage.sagemaker.troubles["InvokeEndpoint"] = [RefusalError("ValidationError", "no variant")]
    pairs = json.dumps({"pairs": [{"user": "anna", "item": "242"}]})
    ask("POST", "/v1/catalogs/films/predictions", pairs)
    ask("GET", "/v1/catalogs/films/users/anna/recommendations")
    ask("GET", "/v1/catalogs/films/model")
    ask("GET", "/v1/catalogs/books/model")
    ask("GET", "/v1/catalogs")
    ask("GET", "/v1/catalogs/films/runs")
    ask("GET", "/v1/catalogs/films/runs/none")
    ask("GET", "/v1/health")


@pytest.fixture(scope="module")
def calls(module_stage: Stage) -> dict[str, list[Call]]:
    """Every call that each function made, whatever happened around it."""
    everything(module_stage)
    return {
        function: [call for call in module_stage.calls if call.function == function]
        for function in template.functions()
    }


def allowed(function: str, action: str, resource: str) -> bool:
    return any(
        action in one.actions and any(fnmatchcase(resource, pattern) for pattern in one.resources)
        for one in template.policy(function)
        if one.effect == "Allow"
    )


def test_every_function_has_its_table() -> None:
    assert set(TABLE) == set(template.functions())


@pytest.mark.parametrize("function", TABLE)
def test_a_policy_allows_what_the_table_says(function: str) -> None:
    given = {action for one in template.policy(function) for action in one.actions}
    assert given == TABLE[function]


@pytest.mark.parametrize("function", TABLE)
def test_a_function_does_what_the_table_says(function: str, calls: dict[str, list[Call]]) -> None:
    done = {action for call in calls[function] for action, _ in needs(call)}
    assert done == TABLE[function]


@pytest.mark.parametrize("function", TABLE)
def test_all_that_a_function_does_is_allowed_where_it_does_it(
    function: str, calls: dict[str, list[Call]]
) -> None:
    forbidden = {
        (action, resource)
        for call in calls[function]
        for action, resource in needs(call)
        if not allowed(function, action, resource)
    }
    assert forbidden == set()


@pytest.mark.parametrize("function", TABLE)
def test_nothing_is_allowed_where_a_function_does_nothing(
    function: str, calls: dict[str, list[Call]]
) -> None:
    """Every pattern of resources in a policy is there for something."""
    done = {need for call in calls[function] for need in needs(call)}
    for one in template.policy(function):
        for pattern in one.resources:
            assert any(
                action in one.actions and fnmatchcase(resource, pattern)
                for action, resource in done
            ), f"{one.sid} allows {pattern}"


@pytest.mark.parametrize(
    ("function", "action", "resource"),
    [
        ("Predict", "s3:PutObject", "arn:aws:s3:::matinee-artifactsbucket/current/films.json"),
        ("Predict", "s3:GetObject", "arn:aws:s3:::matinee-ratingsbucket/ratings/films/u.data"),
        ("ScoreUsers", "s3:PutObject", "arn:aws:s3:::matinee-artifactsbucket/current/films.json"),
        ("EncodeRatings", "s3:PutObject", "arn:aws:s3:::matinee-ratingsbucket/ratings/films/x"),
        ("EncodeRatings", "s3:DeleteObject", "arn:aws:s3:::matinee-ratingsbucket/ratings/films/x"),
        (
            "CheckTraining",
            "sagemaker:StopTrainingJob",
            f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/another-stack-job",
        ),
        (
            "FinishRun",
            "states:StartExecution",
            f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:another",
        ),
    ],
)
def test_what_would_do_harm_is_not_allowed(function: str, action: str, resource: str) -> None:
    assert not allowed(function, action, resource)
