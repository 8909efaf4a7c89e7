"""What the training benchmark decides by itself: folds, the choice of settings, ratios."""

import numpy as np
import pytest

from bench.movielens import Ratings
from bench.train.figures import ratio_of_medians
from bench.train.folds import choose, divide


def test_every_users_ratings_are_spread_evenly_over_the_tenths():
    counts = np.array([10, 25, 7, 100])
    users = np.random.default_rng(0).permutation(np.repeat(np.arange(4), counts))
    ratings = Ratings(users, np.zeros(users.size, np.int64), np.zeros(users.size, np.float32))

    tenths = divide(ratings)

    for user, count in enumerate(counts):
        each = np.bincount(tenths[users == user], minlength=10)
        assert each.sum() == count
        assert each.max() - each.min() <= 1
    assert divide(ratings).tolist() == tenths.tolist()


def test_of_settings_nearly_as_good_as_the_best_the_cheapest_is_chosen():
    table = [
        {"draws": "a", "log_loss": 0.5204, "fit_s": 1.0},
        {"draws": "b", "log_loss": 0.5192, "fit_s": 5.0},
        {"draws": "c", "log_loss": 0.5190, "fit_s": 9.0},
        {"draws": "d", "log_loss": 0.5193, "fit_s": 6.0},
    ]

    assert choose(table)["draws"] == "b"


def test_a_ratio_is_of_medians_and_knows_who_never_got_there():
    def pairs(*times):
        return [({"fit_s": mine}, {"fit_s": theirs}) for mine, theirs in times]

    assert ratio_of_medians(pairs((1.0, 5.0), (3.0, 4.0), (2.0, 90.0))) == pytest.approx(0.4)
    assert ratio_of_medians(pairs((1.0, 5.0), (None, 5.0), (2.0, 5.0))) == pytest.approx(0.4)
    assert ratio_of_medians(pairs((None, 5.0), (None, 5.0), (2.0, 5.0))) is None
