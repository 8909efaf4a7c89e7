"""What a batch transform job's description and its answers mean."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest
from recommender.errors import (
    MismatchedScoresError,
    TransformFailedError,
    TransformOverdueError,
    TransformStoppedError,
)
from recommender.pipeline.scoring.transforms import TransformState, outcome, scores_in
from recommender.pipeline.training import QUEUE_SECONDS

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def look(status: str, age: float = 0, **more: str) -> TransformState:
    job: dict[str, Any] = {
        "TransformJobName": "job",
        "TransformJobStatus": status,
        "CreationTime": NOW - timedelta(seconds=age),
        **more,
    }
    return outcome(cast("Any", job), 600, NOW)


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "Completed"])
def test_a_job_at_work_and_one_that_ended_well_raise_nothing(status: str) -> None:
    state = look(status, 600 + QUEUE_SECONDS - 1)
    state.raise_if_bad()
    assert (state.status, state.overdue) == (status, False)


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_a_job_at_work_beyond_its_time_is_overdue(status: str) -> None:
    state = look(status, 600 + QUEUE_SECONDS + 1)
    assert state.overdue
    with pytest.raises(TransformOverdueError, match="600 s"):
        state.raise_if_bad()


def test_a_job_that_ended_is_never_overdue() -> None:
    look("Completed", 10**7).raise_if_bad()


def test_a_job_that_ended_badly_says_how() -> None:
    with pytest.raises(TransformFailedError, match="AlgorithmError: no"):
        look("Failed", FailureReason="AlgorithmError: no").raise_if_bad()
    with pytest.raises(TransformStoppedError):
        look("Stopped").raise_if_bad()


def test_scores_are_read_in_order_and_empty_lines_are_none() -> None:
    told = b'{"score": 0.25, "predicted_label": 0.0}\n\n{"score": 1e-3}\r\n{"score": 3}'
    assert scores_in(told, 3, "part").tolist() == [0.25, 0.001, 3.0]


@pytest.mark.parametrize(
    "told",
    [
        None,
        b"",
        b'{"score": 1}\n',
        b'{"score": 1}\n{"score": 1}\n{"score": 1}\n',
        b'{"score": 1}\n{"score": null}\n',
        b'{"score": 1}\n[1]\n',
        b'{"score": 1}\n{"label": 1}\n',
        b'{"score": 1}\n{"score": NaN}\n',
        b'{"score": 1}\n{"score": 1e999}\n',
        b'{"score": 1}\n{"score"\n',
        b'{"score": 1}\n\xff\n',
        b'{"score": 1}\n{"score": 1}, {"score": 1}\n',
    ],
)
def test_anything_but_a_number_for_each_row_is_an_error(told: bytes | None) -> None:
    with pytest.raises(MismatchedScoresError, match="each of 2 rows") as caught:
        scores_in(told, 2, "scores/films/part")
    assert caught.value.expected == 2
    assert "scores/films/part" in str(caught.value)


def test_what_is_read_is_what_was_written_to_the_last_bit() -> None:
    scores = np.random.default_rng(7).random(1000)
    told = b"".join(b'{"score": %s}\n' % repr(one).encode() for one in scores.tolist())
    assert (scores_in(told, 1000, "part") == scores).all()
