"""The collapse: many draws, cut to one machine of small rank."""

import numpy as np
import pytest
from factorization_machines.gibbs.calibration import fit_link
from factorization_machines.gibbs.pairs.collapse import cut_products
from factorization_machines.gibbs.pairs.sampler import score_plain
from recommender.model.machine import sigmoid


def test_a_cut_at_the_full_rank_changes_no_score():
    generator = np.random.default_rng(13)
    left = generator.normal(size=(30, 6)).astype(np.float32)
    right = (0.4 + generator.normal(size=(20, 6))).astype(np.float32)

    plain = cut_products(left, right, 6, seed=0)

    users, items = np.divmod(np.arange(600), 20)
    np.testing.assert_allclose(
        score_plain(plain, users, items), (left @ right.T).ravel(), atol=1e-4
    )


def test_the_cut_is_the_best_of_its_rank():
    generator = np.random.default_rng(14)
    scales = 0.6 ** np.arange(12)
    left = (generator.normal(size=(80, 12)) * scales).astype(np.float32)
    right = generator.normal(size=(60, 12)).astype(np.float32)

    plain = cut_products(left, right, 4, seed=0)

    products = (left.astype(float) - left.mean(axis=0)) @ (right - right.mean(axis=0)).T
    singular = np.linalg.svd(products, compute_uv=False)
    away = plain.user_factors @ plain.item_factors.T - products
    assert np.linalg.norm(away) == pytest.approx(np.linalg.norm(singular[4:]), rel=1e-3)
    assert np.abs(away).max() <= singular[4] * 1.001


def test_more_factors_than_there_are_directions_are_zero():
    plain = cut_products(
        np.ones((3, 1), np.float32), np.array([[1], [2]], np.float32), rank=10, seed=0
    )

    assert plain.user_factors.shape == (3, 10)
    np.testing.assert_allclose(
        score_plain(plain, np.array([0, 1]), np.array([0, 1])), [1, 2], atol=1e-6
    )


def test_a_link_is_found_again():
    scores = np.random.default_rng(15).normal(3.0, 2.0, 500)

    found = fit_link(scores, sigmoid(1.7 * scores - 4.0))

    assert (found.scale, found.shift) == pytest.approx((1.7, -4.0), abs=1e-6)
