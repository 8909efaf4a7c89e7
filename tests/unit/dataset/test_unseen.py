"""Users who are kept out of training, and what is told of them: from ids alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.dataset.draws import Draw
from recommender.dataset.unseen import known_pairs, known_places, sampled_users, unseen_users
from recommender.dataset.vocabulary import Vocabulary


def of_users(n: int, first: int = 0) -> Vocabulary:
    return Vocabulary(tuple(map(str, range(first, first + n))), ("a",))


def ids(vocabulary: Vocabulary, numbers: np.ndarray) -> set[str]:
    return {vocabulary.users[number] for number in numbers.tolist()}


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.5, 1.0])
def test_a_share_of_the_users_is_kept_out(share: float) -> None:
    found = unseen_users(of_users(20_000), share, most=20_000)
    deviation = math.sqrt(share * (1 - share) / 20_000)
    assert found.size / 20_000 == pytest.approx(share, abs=4 * deviation)
    assert (np.diff(found) > 0).all()


def test_a_user_stays_on_a_side_when_others_come_and_go() -> None:
    few, many = of_users(500, first=200), of_users(2_000)
    chosen = ids(many, unseen_users(many, 0.2))
    assert ids(few, unseen_users(few, 0.2)) == chosen & set(few.users)
    assert chosen <= ids(many, unseen_users(many, 0.3))


def test_no_more_are_kept_out_than_one_wants() -> None:
    vocabulary = of_users(3_000)
    few, more = unseen_users(vocabulary, 0.5, most=100), unseen_users(vocabulary, 0.5, most=200)
    assert (few.size, more.size) == (100, 200)
    assert set(few.tolist()) < set(more.tolist())
    assert (np.diff(few) > 0).all()


def test_the_choice_is_the_same_in_every_version() -> None:
    assert unseen_users(of_users(40), 0.2).tolist() == [0, 1, 2, 16, 21, 25, 33, 35, 39]
    vocabulary = Vocabulary(("u", "v"), tuple(map(str, range(5))))
    users, items = np.divmod(np.arange(10), 5)
    assert known_places(vocabulary, users, items).tolist() == [1, 0, 3, 4, 2, 0, 2, 1, 3, 4]
    assert sampled_users(of_users(40), np.arange(40), 4).tolist() == [9, 10, 26, 32]


def test_all_users_are_judged_by_or_a_sample_that_their_ids_decide() -> None:
    vocabulary = of_users(1_000)
    users = np.array([7, 3, 999, 3])
    assert sampled_users(vocabulary, users, most=3).tolist() == [3, 7, 999]
    every = np.arange(1_000)
    sample = sampled_users(vocabulary, every, most=300)
    assert (sample.size, np.unique(sample).size) == (300, 300)
    assert abs(sample.mean() - 499.5) < 4 * 289 / math.sqrt(300)
    backwards = Vocabulary(vocabulary.users[::-1], ("a",))
    again = sampled_users(backwards, every[::-1], most=300)
    assert ids(backwards, again) == ids(vocabulary, sample)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 19)), unique=True, max_size=70),
    order=st.randoms(use_true_random=False),
    share=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
)
def test_what_is_told_of_a_user_depends_on_no_order(pairs, order, share) -> None:
    vocabulary = Vocabulary(tuple("stuvwxy"), tuple(map(str, range(20))))

    def told(some: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, bool]]:
        users, items = np.array(some, np.int64).reshape(-1, 2).T
        places = known_places(vocabulary, users, items).tolist()
        known = known_pairs(vocabulary, users, items, share).tolist()
        return dict(zip(some, zip(places, known, strict=True), strict=True))

    found = told(pairs)
    shuffled = list(pairs)
    order.shuffle(shuffled)
    assert told(shuffled) == found
    for user in range(7):
        own = [one for pair, one in found.items() if pair[0] == user]
        assert sorted(place for place, _ in own) == list(range(len(own)))
        kept = len(own) - math.ceil(round(share * len(own), 6))
        assert sorted(known for _, known in own) == [False] * kept + [True] * (len(own) - kept)
        assert told([pair for pair in pairs if pair[0] == user]) == {
            pair: one for pair, one in found.items() if pair[0] == user
        }


@pytest.mark.parametrize(("n", "kept"), [(1, 0), (4, 0), (5, 1), (9, 1), (10, 2), (15, 3)])
def test_a_fifth_of_what_a_user_rated_is_kept_to_judge_by(n: int, kept: int) -> None:
    vocabulary = Vocabulary(("u",), tuple(map(str, range(n))))
    known = known_pairs(vocabulary, np.zeros(n, np.int64), np.arange(n))
    assert n - np.count_nonzero(known) == kept


def test_what_is_told_has_nothing_to_do_with_the_test_set() -> None:
    vocabulary = Vocabulary(tuple(map(str, range(200))), tuple(map(str, range(100))))
    users, items = np.divmod(np.arange(20_000), 100)
    known = known_pairs(vocabulary, users, items, 0.5)
    drawn = Draw(vocabulary).falls_in_test(users, items, 0.5)
    assert (known == drawn).mean() == pytest.approx(0.5, abs=0.015)
    everybody = unseen_users(of_users(20_000), 0.5, most=20_000)
    sample = sampled_users(of_users(20_000), np.arange(20_000), 10_000)
    assert np.isin(everybody, sample).mean() == pytest.approx(0.5, abs=0.02)
