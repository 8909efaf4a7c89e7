"""What a ranking model minimised travels with it: archive, pair model, factor file."""

import numpy as np
import pytest
from recommender.errors import DamagedArtifactError, ShapeMismatchError
from recommender.model import factors
from recommender.model.artifact import read_artifact, write_artifact
from recommender.model.machine import FactorizationMachine
from recommender.model.meta import objective
from recommender.model.objective import ImplicitObjective
from recommender.model.pair_model import split_machine

OBJECTIVE = ImplicitObjective(0.3, 0.01, 0.9)


def ranking_machine() -> FactorizationMachine:
    rng = np.random.default_rng(1)
    weights = np.zeros(7, np.float32)
    vectors = rng.normal(size=(7, 3)).astype(np.float32)
    return FactorizationMachine(0.0, weights, vectors, "regressor", objective=OBJECTIVE)


def test_an_archive_keeps_it() -> None:
    found = read_artifact(write_artifact(ranking_machine(), {}), "model.tar.gz")
    assert found.objective == OBJECTIVE


def test_a_factor_file_keeps_it() -> None:
    model = split_machine(ranking_machine(), 3, 4)
    assert factors.from_arrays(factors.to_arrays(model)).objective == OBJECTIVE


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"fold_in_exponent": "1"}, "without fold_in_unobserved_weight"),
        (
            {
                "fold_in_unobserved_weight": "0",
                "fold_in_regularization": "1",
                "fold_in_exponent": "1",
            },
            "expected three finite numbers",
        ),
        (
            {
                "fold_in_unobserved_weight": "nan",
                "fold_in_regularization": "1",
                "fold_in_exponent": "x",
            },
            "expected three finite numbers",
        ),
    ],
)
def test_half_of_it_or_nonsense_is_a_damaged_archive(told: dict[str, str], word: str) -> None:
    with pytest.raises(DamagedArtifactError, match=word):
        objective(told, "meta.json")


@pytest.mark.parametrize("values", [(0.0, 1.0, 1.0), (0.1, -1.0, 1.0), (0.1, 1.0, np.inf)])
def test_an_objective_without_a_minimum_is_none(values: tuple[float, float, float]) -> None:
    with pytest.raises(ShapeMismatchError):
        ImplicitObjective(*values)


def test_the_penalty_grows_with_what_there_is_to_learn_from() -> None:
    assert OBJECTIVE.penalty(10, 100) == pytest.approx(0.01 * 40**0.9)
