"""Which scale ratings are on, and what a like is on it."""

import numpy as np
import pytest
from recommender.ratings.scales import Scale, ScaleFinder

RNG = np.random.default_rng(1)


def found(*parts: object) -> Scale:
    finder = ScaleFinder()
    for part in parts:
        finder.add(np.asarray(part, np.float32))
    scale = finder.find()
    assert scale is not None
    return scale


@pytest.mark.parametrize(
    ("ratings", "threshold"),
    [
        ([1, 2, 3, 4, 5], 4),
        ([0.5, 1, 3.5, 5], 4),
        ([0, 5], 4),
        ([1, 4], 3),
        ([1, 2, 3], 3),
        ([1, 10], 7),
        ([0, 3, 9], 7),
        ([1.5, 7.7, 9.1], 7),
        ([0, 100], 70),
        ([20, 40, 80], 70),
        ([1, 20], 14),
        ([0, 1], 1),
        ([1, 1, 1], 1),
        ([0.1, 0.55, 0.98], 0.7),
        ([-1, 1], 1),
        ([-1, 0, 1], 1),
        ([-9.5, 0.3, 9.7], 0),
    ],
)
def test_a_like_is_what_fits_the_scale(ratings: list[float], threshold: float) -> None:
    assert found(ratings).threshold == threshold
    assert found(*([one] for one in ratings)).threshold == threshold


def test_a_slip_of_the_pen_makes_no_scale_and_is_counted() -> None:
    ratings = RNG.integers(1, 6, 5000)
    scale = found(ratings, [55, 44])
    assert (scale.threshold, scale.beyond) == (4, 2)
    assert "1 to 55" in scale.told
    assert found(ratings, np.full(500, 9)).threshold == 7


def test_on_no_known_scale_about_half_are_likes() -> None:
    plays = np.ceil(RNG.pareto(1.0, 400_000) * 100 + 1)
    scale = found(*np.array_split(plays, 50))
    assert 0.4 < np.mean(plays >= scale.threshold) < 0.7
    assert "no usual scale" in scale.told


def test_without_ratings_there_is_no_scale() -> None:
    assert ScaleFinder().find() is None
