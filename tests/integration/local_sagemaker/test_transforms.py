"""Transform jobs of the local SageMaker: every object answered, whole and in order."""

import contextlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from botocore.exceptions import ClientError
from recommender.features import FeatureRows
from recommender.model.artifact import read_artifact
from recommender.model.machine import predict
from recommender.recordio.writing import write_pairs

from local.sagemaker.faults import JobError
from local.sagemaker.transforms.splitting import payloads
from testbed.local_sagemaker.calls import BUCKET, DIMENSION, get, pairs, transform
from testbed.local_sagemaker.server import Service


def test_a_transform_job_answers_each_object_whole_and_in_order(
    service: Service, endpoint: str
) -> None:
    users, items, _ = pairs(0, 50_000)
    body = write_pairs(users, items, DIMENSION, None)
    for name in ("a.rec", "deep/b.rec"):
        service.s3.put_object(Bucket=BUCKET, Key=f"ask/records/{name}", Body=body)
    job = transform(
        service,
        "records",
        f"s3://{BUCKET}/ask/records/",
        split="RecordIO",
        output={"Accept": "application/jsonlines", "AssembleWith": "Line"},
        MaxPayloadInMB=1,
    )
    assert job["TransformJobStatus"] == "Completed", job
    machine = read_artifact(get(service, "models/trained/output/model.tar.gz"), "trained")
    expected = predict(FeatureRows.pairs(users, items, DIMENSION), machine)
    for name in ("a.rec", "deep/b.rec"):
        lines = get(service, f"answers/records/{name}.out").decode().splitlines()
        scores = [json.loads(line)["score"] for line in lines]
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert job["TransformStartTime"] < job["TransformEndTime"]


def test_a_bad_record_costs_its_own_object_only_and_fails_the_job(
    service: Service, endpoint: str
) -> None:
    good = json.dumps({"data": {"features": {"keys": [0], "shape": [DIMENSION], "values": [1]}}})
    service.s3.put_object(Bucket=BUCKET, Key="ask/lines/bad", Body=f"{good}\nno json\n{good}\n")
    service.s3.put_object(Bucket=BUCKET, Key="ask/lines/good", Body=f"{good}\n{good}\n")
    job = transform(
        service,
        "lines",
        f"s3://{BUCKET}/ask/lines/",
        split="Line",
        content="application/jsonlines",
        BatchStrategy="SingleRecord",
        output={"Accept": "application/jsonlines", "AssembleWith": "Line"},
    )
    assert job["TransformJobStatus"] == "Failed"
    assert "bad" in job["FailureReason"]
    listed = service.s3.list_objects_v2(Bucket=BUCKET, Prefix="answers/lines/")["Contents"]
    assert [each["Key"] for each in listed] == ["answers/lines/good.out"]
    answers = get(service, "answers/lines/good.out").decode().splitlines()
    assert len(answers) == 2
    assert answers[0] == answers[1]


def test_a_stopped_transform_job_ends_stopped_and_leaves_no_process(
    service: Service, endpoint: str
) -> None:
    users, items, _ = pairs(0, 20_000)
    body = write_pairs(users, items, DIMENSION, None)
    service.s3.put_object(Bucket=BUCKET, Key="ask/slow/a.rec", Body=body)
    before = service.containers()

    def stop_it() -> None:
        with contextlib.suppress(ClientError):
            service.sagemaker.stop_transform_job(TransformJobName="slow")

    threading.Timer(0.3, stop_it).start()
    job = transform(
        service, "slow", f"s3://{BUCKET}/ask/slow/", split="RecordIO", BatchStrategy="SingleRecord"
    )
    assert job["TransformJobStatus"] == "Stopped"
    assert service.containers() == before
    assert "Contents" not in service.s3.list_objects_v2(Bucket=BUCKET, Prefix="answers/slow/")
    with pytest.raises(ClientError, match="in status Stopped"):
        service.sagemaker.stop_transform_job(TransformJobName="slow")


def test_payloads_put_together_are_the_object(tmp_path: Path) -> None:
    users, items, _ = pairs(0, 101)
    body = write_pairs(users, items, DIMENSION, None)
    path = tmp_path / "object"
    path.write_bytes(body)
    batches = list(payloads(path, "RecordIO", several=True, limit=1_000))
    assert b"".join(batches) == body
    assert max(map(len, batches)) <= 1_000
    assert len(list(payloads(path, "RecordIO", several=False, limit=0))) == 101
    assert list(payloads(path, "None", several=True, limit=0)) == [body]
    with pytest.raises(JobError, match="larger than MaxPayloadInMB"):
        list(payloads(path, "None", several=True, limit=1_000))
    path.write_bytes(body[:-5])
    with pytest.raises(JobError, match="ends inside the record"):
        list(payloads(path, "RecordIO", several=True, limit=0))
