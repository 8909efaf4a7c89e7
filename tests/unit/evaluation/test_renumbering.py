"""A model of another run keeps its scores under this run's numbers."""

import numpy as np
from recommender.dataset.vocabulary import Vocabulary
from recommender.evaluation.renumbering import renumbered
from recommender.model.pair_model import PairModel
from recommender.predictor_types import REGRESSOR

OWN = Vocabulary(("a", "b", "c"), ("x", "y"))


def model() -> PairModel:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=shape).astype(np.float32) for shape in (3, (3, 2), 2, (2, 2))]
    return PairModel(0.5, *parts, REGRESSOR)


def test_scores_follow_the_ids() -> None:
    vocabulary = Vocabulary(("c", "new", "a"), ("new", "y", "x"))
    found, known = renumbered(model(), OWN, vocabulary)
    assert known.tolist() == [0, 2]
    users, items = (axis.ravel() for axis in np.meshgrid([0, 1, 2], [0, 1, 2]))
    own_users = np.array([2, -1, 0])[users]
    own_items = np.array([-1, 1, 0])[items]
    expected = model().score_pairs(own_users, own_items)
    assert np.array_equal(found.score_pairs(users, items), expected)


def test_the_same_ids_leave_a_model_as_it_is() -> None:
    found, known = renumbered(model(), OWN, OWN)
    assert known.tolist() == [0, 1, 2]
    for name, part in vars(model()).items():
        assert np.array_equal(getattr(found, name), part)


def test_a_model_of_other_ids_knows_nobody() -> None:
    found, known = renumbered(model(), OWN, Vocabulary(("p",), ("q", "r")))
    assert known.size == 0
    assert found.score_pairs(np.array([0]), np.array([1])).tolist() == [0.5]
