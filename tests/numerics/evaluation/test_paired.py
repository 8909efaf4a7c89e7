"""The gate of the like model knows noise: equal models pass, worse ones do not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.catalog.gate import Gate
from recommender.evaluation.metrics import (
    Metrics,
    classification_metrics,
    losses_of,
    regression_metrics,
)
from recommender.evaluation.paired import PairedDifference, paired_difference
from recommender.evaluation.verdict import judge

CHANCES = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40
)
BASELINE = Metrics(cross_entropy=9.0)


@given(CHANCES, st.booleans())
def test_the_difference_is_that_of_the_losses_and_its_error_that_of_the_rows(
    rows: list[tuple[int, float, float]],
    squared: bool,  # noqa: FBT001
) -> None:
    labels, ours, theirs = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    found = paired_difference(labels, ours, theirs, squared=squared)
    each = losses_of(labels, ours, squared=squared) - losses_of(labels, theirs, squared=squared)
    assert found.rows == len(rows)
    assert found.mean == pytest.approx(each.mean(), abs=1e-9)
    assert found.standard_error == pytest.approx(
        each.std(ddof=1) / math.sqrt(len(rows)), rel=1e-5, abs=1e-6
    )


@given(CHANCES)
def test_the_losses_of_rows_come_to_the_metrics(rows: list[tuple[int, float, float]]) -> None:
    labels, ours, _ = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    entropy = classification_metrics(labels, ours).cross_entropy
    assert losses_of(labels, ours, squared=False).mean() == pytest.approx(entropy)
    rmse = regression_metrics(labels, ours).rmse
    assert losses_of(labels, ours, squared=True).mean() ** 0.5 == pytest.approx(rmse)


def trained(rng: np.random.Generator, tastes: np.ndarray, noise: float) -> np.ndarray:
    """What a model foretells: it knows the tastes up to an error of its own."""
    return 1 / (1 + np.exp(-(tastes + rng.normal(0, noise, tastes.size))))


def rejections(rows: int, drops: int, noises: tuple[float, float]) -> float:
    """The share of drops in which a challenger of one error loses to a champion of another."""
    rng = np.random.default_rng(20_261_127)
    lost = 0
    for _ in range(drops):
        tastes = rng.normal(0.3, 1.2, rows)
        labels = (rng.random(rows) < 1 / (1 + np.exp(-tastes))).astype(np.float64)
        ours, theirs = (trained(rng, tastes, noise) for noise in noises)
        verdict = judge(
            classification_metrics(labels, ours),
            BASELINE,
            classification_metrics(labels, theirs),
            Gate(),
            None,
            paired_difference(labels, ours, theirs, squared=False),
        )
        lost += not verdict.promoted
    return lost / drops


@pytest.mark.parametrize("rows", [200, 920, 10_000])
@pytest.mark.parametrize("noise", [0.1, 0.3, 0.6])
def test_of_equal_models_one_in_a_hundred_is_rejected_at_most(rows: int, noise: float) -> None:
    assert rejections(rows, 2000 if rows < 1000 else 600, (noise, noise)) <= 0.0105


def worse_by(share: float, noise: float) -> float:
    """The error at which a model's loss is higher by a share, on very many rows."""
    rng = np.random.default_rng(7)
    tastes = rng.normal(0.3, 1.2, 400_000)
    labels = (rng.random(tastes.size) < 1 / (1 + np.exp(-tastes))).astype(np.float64)

    def loss(noise: float) -> float:
        foretold = trained(np.random.default_rng(8), tastes, noise)
        return float(losses_of(labels, foretold, squared=False).mean())

    low, high, aim = noise, 3.0, loss(noise) * (1 + share)
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) < aim else (low, middle)
    return low


def test_a_model_three_percent_worse_on_ten_thousand_rows_is_caught() -> None:
    assert rejections(10_000, 300, (worse_by(0.03, 0.3), 0.3)) >= 0.95


def test_a_small_test_set_rejects_nothing_and_says_that_it_is_small() -> None:
    difference = PairedDifference(mean=0.2, standard_error=0.01, rows=4)
    verdict = judge(
        Metrics(cross_entropy=0.6), BASELINE, Metrics(cross_entropy=0.4), Gate(), None, difference
    )
    assert verdict.promoted
    assert "4 test rows are too few" in " ".join(verdict.reasons)


def test_what_may_be_chance_is_told_with_its_size() -> None:
    difference = PairedDifference(mean=0.011, standard_error=0.006, rows=920)
    champion = Metrics(cross_entropy=0.5625)
    verdict = judge(Metrics(cross_entropy=0.5734), BASELINE, champion, Gate(), None, difference)
    assert verdict.promoted
    assert "920 test rows" in " ".join(verdict.reasons)
    surely = PairedDifference(mean=0.011, standard_error=0.002, rows=920)
    verdict = judge(Metrics(cross_entropy=0.5734), BASELINE, champion, Gate(), None, surely)
    assert not verdict.promoted
    assert "more than chance" in verdict.reasons[0]
