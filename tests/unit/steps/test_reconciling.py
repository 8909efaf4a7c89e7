"""An endpoint that serves another run than the catalog says, and what becomes of both."""

import pytest
from recommender.aws import leases
from recommender.errors import LeaseLostError
from recommender.model_names import LIKE, RANKING
from recommender.steps import outcomes

from testbed.machine import State
from testbed.runs import (
    ENDPOINT,
    Outside,
    admit,
    again,
    finish,
    manifest_of,
    pointer,
    promoted,
    run,
    upload_films,
)
from testbed.stage import Stage


def serving(stage: Stage) -> str:
    return str(stage.sagemaker.endpoints[ENDPOINT]["EndpointConfigName"])


def switch_and_die(stage: Stage) -> Outside:
    """A run whose execution is aborted once its model serves, before it could say so."""

    def deploy(data: State) -> None:
        stage.sagemaker.settle(data["endpoint"]["endpointName"])
        stage.end(stage.lease()["owner"], "ABORTED")
        raise ConnectionAbortedError

    return Outside(stage, deploys=deploy)


def aborted_after_the_switch(stage: Stage) -> str:
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    execution = admit(stage)["execution"]
    with pytest.raises(ConnectionAbortedError):
        run(stage, execution, switch_and_die(stage))
    return str(stage.lease()["run_id"])


def test_a_run_that_fails_after_the_switch_serves_and_all_agree(stage: Stage) -> None:
    promoted(stage)
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,1\n")
    execution = admit(stage)["execution"]
    with pytest.raises(ConnectionAbortedError):
        run(stage, execution, switch_and_die(stage))
    run_id = str(stage.lease()["run_id"])
    error = {"Error": "States.Timeout", "Cause": "Finish run took too long"}
    answer = finish(stage, execution, "failed", {"encoding": {"runId": run_id}, "error": error})
    assert answer["outcome"] == "promoted"
    assert pointer(stage)["models"] == {LIKE: run_id, RANKING: run_id}
    assert pointer(stage)["endpointConfigName"] == serving(stage)
    manifest = stage.kept_json(f"runs/films/{run_id}/manifest.json")
    assert (manifest["outcome"], manifest["serves"]) == ("promoted", pointer(stage)["models"])
    assert "error" not in manifest
    (notice,) = stage.notices()
    assert "new model serving" in notice.subject + notice.facts["summary"]
    # Nothing failed, so nothing is tried again.
    assert "retry_at" not in stage.lease()


def test_the_next_run_finds_what_an_aborted_one_left_whatever_comes_of_it(stage: Stage) -> None:
    promoted(stage)
    lost = aborted_after_the_switch(stage)
    stage.upload("ratings/films/more.csv", "user,item,rating\nanna,242,many\n")
    done = run(stage, admit(stage)["execution"])
    assert done.error["Error"] == "MalformedRatingsError"
    assert pointer(stage)["models"] == {LIKE: lost, RANKING: lost}
    manifest = stage.kept_json(f"runs/films/{lost}/manifest.json")
    assert manifest["outcome"] == "promoted"
    assert "never came" in manifest["recoveredFrom"]


def test_an_endpoint_that_a_late_step_moved_back_is_moved_on(stage: Stage) -> None:
    promoted(stage)
    old = serving(stage)
    variants = stage.sagemaker.endpoints[ENDPOINT]["ProductionVariants"]
    again(stage)
    new = serving(stage)
    stage.sagemaker.endpoints[ENDPOINT] |= {
        "EndpointConfigName": old,
        "ProductionVariants": variants,
    }
    before = pointer(stage)
    run(stage, admit(stage)["execution"])  # nothing new to train on
    stage.sagemaker.settle(ENDPOINT)
    assert serving(stage) == new != old
    assert pointer(stage) == before


def test_an_endpoint_that_is_still_at_work_is_left_to_the_next_run(stage: Stage) -> None:
    promoted(stage)
    before = pointer(stage)

    def deploy(data: State) -> None:
        data["endpoint"]["requestedAt"] = "2026-11-22T10:00:00+00:00"  # overdue

    done = again(stage, Outside(stage, deploys=deploy))
    assert done.error["Error"] == "EndpointOverdueError"
    assert pointer(stage) == before
    stage.sagemaker.settle(ENDPOINT)
    run(stage, admit(stage)["execution"], Outside(stage, sign=-1))
    assert pointer(stage)["models"][LIKE] == done.data["encoding"]["runId"]


def test_a_catalog_that_trains_no_like_model_any_more_has_no_endpoint(stage: Stage) -> None:
    promoted(stage)
    stage.upload("catalogs/films/config.json", '{"models": ["ranking"]}')
    done = run(stage, admit(stage)["execution"])
    assert manifest_of(stage, done)["serves"][LIKE] is None
    assert pointer(stage)["models"][LIKE] is None
    assert "endpointName" not in pointer(stage)
    assert stage.sagemaker.endpoints[ENDPOINT]["EndpointStatus"] == "Deleting"
    stage.sagemaker.settle(ENDPOINT)
    stage.upload("catalogs/films/config.json", "{}")
    back = run(stage, admit(stage)["execution"])
    assert pointer(stage)["models"][LIKE] == back.data["encoding"]["runId"]
    assert stage.sagemaker.endpoints[ENDPOINT]["EndpointStatus"] == "InService"


def test_a_pointer_that_moved_meanwhile_is_not_overwritten(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the lease and the write, another run took over and was promoted."""
    upload_films(stage)
    done = run(stage, admit(stage)["execution"])
    stage.keep("current/films.json", {**pointer(stage), "runId": "before"})
    read = leases.read

    def read_and_be_late(table: str, catalog: str) -> leases.Lease:
        found = read(table, catalog)
        stage.keep("current/films.json", {**pointer(stage), "runId": "another"})
        return leases.Lease(**{**vars(found), "owner": done.name})

    monkeypatch.setattr(outcomes.leases, "read", read_and_be_late)
    with pytest.raises(LeaseLostError):
        outcomes.move_pointer(stage.artifacts, stage.table, done.name, manifest_of(stage, done))
    assert pointer(stage)["runId"] == "another"
