"""The rows that the ranking model learns from: who rated what, and what was not rated."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from recommender.catalog.ranking import Ranking
from recommender.dataset.ranking_rows import RankingRows, kept_out
from recommender.dataset.vocabulary import Vocabulary
from recommender.features import FeatureRows, Float32s
from recommender.recordio.reading import read_rows

from testbed.ratings.datasets import Row, WholeDataset, dataset_of, file_of

USERS, ITEMS = 30, 40


def ratings(seed: int = 1) -> list[Row]:
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(USERS * ITEMS)[:400].tolist()
    return [
        (f"u{pair // ITEMS}", f"i{pair % ITEMS}", float(rng.integers(1, 6)), at)
        for at, pair in enumerate(pairs)
    ]


@pytest.fixture
def dataset() -> WholeDataset:
    return dataset_of(file_of(ratings()))


def nobody(dataset: WholeDataset) -> np.ndarray:
    return np.zeros(len(dataset.vocabulary.users), np.bool_)


def joined(records: list[bytes]) -> tuple[FeatureRows, Float32s]:
    rows, labels = read_rows(b"".join(records))
    assert labels is not None
    return rows, labels


def test_a_row_is_a_pair_of_train_labelled_with_its_weight(dataset: WholeDataset) -> None:
    made = RankingRows(dataset, Ranking(), nobody(dataset))
    rows, labels = joined(list(made.weighted()))
    train = dataset.train
    assert rows.dimension == len(dataset.vocabulary.users) + len(dataset.vocabulary.items)
    assert np.array_equal(rows.columns[0::2], train.users)
    assert np.array_equal(rows.columns[1::2], train.items + len(dataset.vocabulary.users))
    np.testing.assert_allclose(labels, train.ratings / 5, rtol=1e-6)


def test_threads_change_no_byte(dataset: WholeDataset) -> None:
    made = RankingRows(dataset, Ranking(), nobody(dataset))
    with ThreadPoolExecutor(3) as threads:
        assert b"".join(made.weighted(threads)) == b"".join(made.weighted())


def test_a_rating_that_counts_nothing_is_no_row(dataset: WholeDataset) -> None:
    ranking = Ranking(weights={"3": 0, "4": 1})
    _, labels = joined(list(RankingRows(dataset, ranking, nobody(dataset)).weighted()))
    assert len(labels) == np.count_nonzero(dataset.train.ratings > 3)
    assert set(labels.tolist()) == {1.0}


def test_who_is_kept_out_has_no_row(dataset: WholeDataset) -> None:
    out = nobody(dataset)
    out[[3, 7]] = True
    made = RankingRows(dataset, Ranking(), out)
    for records in (made.weighted(), made.sampled()):
        rows, _ = joined(list(records))
        assert not {3, 7} & set(rows.columns[0::2].tolist())


def test_a_pair_is_followed_by_items_that_its_user_has_not_rated(dataset: WholeDataset) -> None:
    made = RankingRows(dataset, Ranking(), nobody(dataset))
    rows, labels = joined(list(made.sampled(per_pair=4)))
    users, items = rows.columns[0::2], rows.columns[1::2] - len(dataset.vocabulary.users)
    rated = set(zip(dataset.train.users.tolist(), dataset.train.items.tolist(), strict=True))
    found = list(zip(users.tolist(), items.tolist(), strict=True))
    assert [pair for pair, label in zip(found, labels, strict=True) if label] == list(
        zip(dataset.train.users.tolist(), dataset.train.items.tolist(), strict=True)
    )
    sampled = [pair for pair, label in zip(found, labels, strict=True) if not label]
    assert not rated & set(sampled)
    # Some were drawn that their user has rated, and left out.
    assert 2 * len(rated) < len(sampled) < 4 * len(rated)


def test_popular_items_are_sampled_more_often() -> None:
    rows = [(f"u{user}", "hit", 5.0, user) for user in range(200)]
    rows += [(f"v{user}", f"rare{user}", 4.0, user) for user in range(200)]
    dataset = dataset_of(file_of(rows))
    made = RankingRows(dataset, Ranking(), nobody(dataset))
    columns, labels = joined(list(made.sampled()))
    items = columns.columns[1::2][labels == 0] - len(dataset.vocabulary.users)
    counts = np.bincount(items, minlength=len(dataset.vocabulary.items))
    hit = dataset.vocabulary.item_numbers["hit"]
    assert counts[hit] > 5 * np.delete(counts, hit).mean()


def test_the_same_dataset_gives_the_same_samples(dataset: WholeDataset) -> None:
    again = dataset_of(file_of(ratings()))
    one = RankingRows(dataset, Ranking(), nobody(dataset))
    other = RankingRows(again, Ranking(), nobody(again))
    assert b"".join(one.sampled()) == b"".join(other.sampled())


def test_a_twentieth_of_many_users_is_kept_out_and_nobody_of_a_few() -> None:
    few = Vocabulary(tuple(f"u{n}" for n in range(499)), ("i",))
    many = Vocabulary(tuple(f"u{n}" for n in range(20_000)), ("i",))
    assert not kept_out(few).any()
    assert 0.045 < kept_out(many).mean() < 0.055
