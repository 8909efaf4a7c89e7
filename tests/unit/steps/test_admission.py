"""Who runs next: the lease and Step Functions together, with either failing in between."""

import time
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from recommender.aws import leases, states
from recommender.errors import ServiceUnavailableError
from recommender.pipeline.settings import AdmitUploadSettings
from recommender.steps import admission

from testbed import template
from testbed.sagemaker import RefusalError
from testbed.stage import Stage


@pytest.fixture
def settings() -> AdmitUploadSettings:
    return AdmitUploadSettings.from_environ(template.environment("AdmitUpload"))


def running(stage: Stage) -> list[str]:
    found = stage.executions().items()
    return sorted(name for name, (status, _) in found if status == "RUNNING")


def admitted(settings: AdmitUploadSettings) -> str:
    name, started = admission.admit("films", settings)
    assert started
    return name


def dead_while_it_trained(stage: Stage, settings: AdmitUploadSettings, status: str | None) -> str:
    """A run that was aborted, and what became of its training job; ``None``: it never was."""
    dead = admitted(settings)
    leases.note_training_job(settings.state_table, "films", dead, "matinee-job")
    if status is not None:
        stage.sagemaker.jobs["matinee-job"] = {"TrainingJobStatus": status}
    stage.end(dead, "ABORTED")
    return dead


class Fault:
    """Lets ``start_execution`` fail once, before or after it took effect."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
        ensure = states.ensure_execution
        left = [True]

        def ensure_execution(machine: str, name: str, run_input: dict[str, object]) -> None:
            if not left or after:
                ensure(machine, name, run_input)
            if left:
                left.pop()
                raise ServiceUnavailableError("states:StartExecution", "ThrottlingException")

        monkeypatch.setattr(states, "ensure_execution", ensure_execution)


def test_an_admission_starts_the_execution_that_owns_the_catalog(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    name = admitted(settings)
    assert stage.executions() == {
        name: ("RUNNING", {"catalog": "films", "settleSeconds": 20, "pollSeconds": 30})
    }
    assert stage.lease()["owner"] == name


@pytest.mark.parametrize("after", [False, True], ids=["not started", "started unheard"])
def test_an_admission_that_died_at_the_start_is_completed_by_its_retry(
    stage: Stage, settings: AdmitUploadSettings, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    Fault(monkeypatch, after=after)
    with pytest.raises(ServiceUnavailableError):
        admission.admit("films", settings)
    name, _ = admission.admit("films", settings)
    assert running(stage) == [name]
    assert stage.lease()["owner"] == name


def test_catalogs_run_side_by_side(stage: Stage, settings: AdmitUploadSettings) -> None:
    films, _ = admission.admit("films", settings)
    books, _ = admission.admit("books", settings)
    assert sorted(running(stage)) == sorted([films, books])


def test_a_run_that_ended_clean_is_followed_by_none(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    name = admitted(settings)
    assert admission.hand_on("films", name, settings.state_machine_arn, settings) is None
    assert running(stage) == [name]  # itself, about to end
    assert "owner" not in stage.lease()


def test_uploads_during_a_run_are_one_more_run(stage: Stage, settings: AdmitUploadSettings) -> None:
    name = admitted(settings)
    for _ in range(3):
        assert admission.admit("films", settings) == (name, False)
    following = admission.hand_on("films", name, settings.state_machine_arn, settings)
    assert following is not None
    assert running(stage) == [name, following]
    assert stage.executions()[following][1] == stage.executions()[name][1]


@pytest.mark.parametrize("after", [False, True], ids=["not started", "started unheard"])
def test_handing_on_can_be_repeated_until_the_next_run_is_started(
    stage: Stage, settings: AdmitUploadSettings, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    name = admitted(settings)
    admission.admit("films", settings)
    Fault(monkeypatch, after=after)
    with pytest.raises(ServiceUnavailableError):
        admission.hand_on("films", name, settings.state_machine_arn, settings)
    following = admission.hand_on("films", name, settings.state_machine_arn, settings)
    assert running(stage) == [name, following]


def test_a_dead_owner_is_taken_over_and_its_training_job_stopped(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    dead_while_it_trained(stage, settings, "InProgress")

    name = admitted(settings)
    assert stage.sagemaker.jobs["matinee-job"]["TrainingJobStatus"] == "Stopping"
    assert running(stage) == [name]
    assert stage.lease()["owner"] == name


@pytest.mark.parametrize("status", [None, "Completed", "Failed", "Stopped"])
def test_a_training_job_that_ended_or_never_was_does_not_stand_in_the_way(
    stage: Stage, settings: AdmitUploadSettings, status: str | None
) -> None:
    dead_while_it_trained(stage, settings, status)
    assert running(stage) == [] != [admitted(settings)]


def test_while_the_job_of_a_dead_owner_cannot_be_stopped_nobody_takes_its_place(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    dead = dead_while_it_trained(stage, settings, None)
    stage.sagemaker.troubles["StopTrainingJob"] = [RefusalError("ThrottlingException", "slow")]
    with pytest.raises(ServiceUnavailableError):
        admission.admit("films", settings)
    assert stage.lease()["owner"] == dead


def test_freeing_an_abandoned_catalog_starts_what_arrived_meanwhile(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    dead = admitted(settings)
    admission.admit("films", settings)
    stage.end(dead, "TIMED_OUT")
    assert admission.free_abandoned("films", dead, settings)
    (following,) = running(stage)
    assert stage.lease()["owner"] == following


def test_freeing_an_abandoned_catalog_stops_its_training_job(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    dead = dead_while_it_trained(stage, settings, "InProgress")
    admission.free_abandoned("films", dead, settings)
    assert stage.sagemaker.jobs["matinee-job"]["TrainingJobStatus"] == "Stopping"


def test_handing_on_again_does_not_start_a_next_run_that_ended_already(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    name = admitted(settings)
    admission.admit("films", settings)
    following = admission.hand_on("films", name, settings.state_machine_arn, settings)
    stage.end(str(following), "FAILED")
    before = stage.executions()
    assert admission.hand_on("films", name, settings.state_machine_arn, settings) == following
    assert stage.executions() == before


def test_a_run_that_cannot_be_started_for_good_is_an_error(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    gone = replace(settings, state_machine_arn=f"{settings.state_machine_arn}-gone")
    with pytest.raises(ClientError, match="StateMachineDoesNotExist"):
        admission.admit("films", gone)


def test_a_free_that_died_at_the_start_of_the_next_run_is_completed_by_its_retry(
    stage: Stage, settings: AdmitUploadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = admitted(settings)
    admission.admit("films", settings)
    stage.end(dead, "ABORTED")
    Fault(monkeypatch, after=False)
    with pytest.raises(ServiceUnavailableError):
        admission.free_abandoned("films", dead, settings)
    admission.free_abandoned("films", dead, settings)
    assert running(stage) == [stage.lease()["owner"]]


def test_the_end_of_a_run_that_gave_its_lease_back_disturbs_nobody(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    name = admitted(settings)
    admission.admit("films", settings)
    following = admission.hand_on("films", name, settings.state_machine_arn, settings)
    leases.note_training_job(settings.state_table, "films", str(following), "matinee-job")
    stage.sagemaker.jobs["matinee-job"] = {"TrainingJobStatus": "InProgress"}
    stage.end(name, "FAILED")
    before = stage.lease()

    assert not admission.free_abandoned("films", name, settings)
    assert stage.lease() == before
    assert stage.sagemaker.jobs["matinee-job"]["TrainingJobStatus"] == "InProgress"
    assert stage.notices() == []


def test_people_are_told_of_an_abandoned_run_once(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    dead = admitted(settings)
    leases.note_run(settings.state_table, "films", dead, "run-7")
    stage.end(dead, "ABORTED")
    for _ in range(2):
        admission.free_abandoned("films", dead, settings, broke_off=True)
    (notice,) = stage.notices()
    assert notice.facts == {
        "summary": f"films: run {dead} broke off; another one looks after the catalog in 5 minutes",
        "outcome": "abandoned",
        "catalog": "films",
        "execution": dead,
        "run": "run-7",
    }


def test_a_run_that_broke_off_after_it_gave_its_lease_back_may_not_have_told(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    name = admitted(settings)
    leases.note_run(settings.state_table, "films", name, "run-7")
    admission.hand_on("films", name, settings.state_machine_arn, settings)
    stage.end(name, "ABORTED")
    assert not admission.free_abandoned("films", name, settings, broke_off=True)
    (notice,) = stage.notices()
    assert "its record was written before" in notice.facts["summary"]
    assert notice.facts["run"] == "run-7"


def failed(stage: Stage, settings: AdmitUploadSettings, execution: str) -> None:
    admission.hand_on("films", execution, settings.state_machine_arn, settings, try_again=True)
    stage.end(execution, "FAILED")


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(time, "time", lambda: seconds)


def test_a_failed_run_is_tried_again_after_growing_pauses_and_then_no_more(
    stage: Stage, settings: AdmitUploadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000.0
    at(monkeypatch, now)
    failed(stage, settings, admitted(settings))
    for pause in leases.RETRY_PAUSES:
        at(monkeypatch, now + pause - 1)
        assert admission.look_after(settings) == []
        now += pause
        at(monkeypatch, now)
        assert admission.look_after(settings) == ["films"]
        (execution,) = running(stage)
        assert admission.look_after(settings) == []  # it runs
        failed(stage, settings, execution)
    at(monkeypatch, now + 1e9)
    assert admission.look_after(settings) == []


def test_an_upload_begins_to_count_anew_and_so_does_a_run_that_ends_well(
    stage: Stage, settings: AdmitUploadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, 1_800_000_000.0)
    for _ in range(6):
        failed(stage, settings, admitted(settings))  # each an upload of its own
    assert float(stage.lease()["retry_at"]) == 1_800_000_000 + leases.RETRY_PAUSES[0]
    execution = admitted(settings)
    admission.hand_on("films", execution, settings.state_machine_arn, settings)
    assert not {"retry_at", "failures"} & set(stage.lease())


def test_what_arrived_during_a_run_that_failed_is_looked_at_at_once(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    execution = admitted(settings)
    admission.admit("films", settings)
    failed(stage, settings, execution)
    assert len(running(stage)) == 1
    assert "retry_at" not in stage.lease()


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_a_run_whose_end_nobody_told_of_is_found_and_tried_again(
    stage: Stage, settings: AdmitUploadSettings, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, 1_800_000_000.0)
    stage.end(admitted(settings), status)
    assert admission.look_after(settings) == ["films"]
    at(monkeypatch, 1_800_000_000.0 + leases.RETRY_PAUSES[0])
    assert admission.look_after(settings) == ["films"]
    assert len(running(stage)) == 1


def test_an_admission_that_died_before_it_started_its_run_is_made_good(
    stage: Stage, settings: AdmitUploadSettings
) -> None:
    name = leases.take(settings.state_table, leases.read(settings.state_table, "films"))
    assert running(stage) == []
    assert admission.look_after(settings) == ["films"]
    assert running(stage) == [name]
