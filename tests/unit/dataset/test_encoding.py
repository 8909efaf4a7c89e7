"""From rating files to train and test set, and RecordIO-protobuf bytes."""

import io
import itertools
import json
import struct
import warnings
from collections.abc import Iterable

import numpy as np
import pytest
import scipy.sparse
from hypothesis import assume, given
from hypothesis import strategies as st
from recommender.catalog.config import CatalogConfig
from recommender.dataset.encoding import Side, labels
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import UnsuitableRatingsError
from recommender.recordio.reading import read_rows

from testbed.ratings.datasets import (
    CLASSIFIER,
    REGRESSOR,
    ParsedFile,
    Row,
    build_dataset,
    dataset_of,
    distinct_rows,
    encode,
    file_of,
    parse_ratings,
    rows_of,
    standing,
)


def movielens_like(n_users: int = 60, n_items: int = 90, each: int = 25) -> bytes:
    """Rows as in ``ua.base``: by user, then item, tabs between."""
    rng = np.random.default_rng(20)
    lines = []
    for user in range(1, n_users + 1):
        for item in np.sort(rng.choice(n_items, each, replace=False)) + 1:
            rating, seconds = rng.integers(1, 6), rng.integers(800_000_000, 900_000_000)
            lines += [f"{user}\t{item}\t{rating}\t{seconds}\n"]
    return "".join(lines).encode()


def latest_of(rows: Iterable[Row]) -> list[tuple[str, str, float]]:
    """The rows that stand, in their order, without their times."""
    every = list(rows)
    return [every[place][:3] for place in sorted(standing(every))]


IDS = st.sampled_from(["1", "2", "3", "4"])


ROWS = st.lists(st.tuples(IDS, IDS, st.integers(0, 50).map(float), st.integers(-1, 3)), max_size=25)


@given(st.lists(ROWS, max_size=4), st.lists(ROWS, max_size=3))
def test_the_latest_rating_of_each_pair_stays_in_file_order(
    train_files: list[list[Row]], test_files: list[list[Row]]
) -> None:
    train_rows = list(itertools.chain.from_iterable(train_files))
    test_rows = list(itertools.chain.from_iterable(test_files))
    test = latest_of(test_rows)
    test_pairs = {row[:2] for row in test}
    train = [row for row in latest_of(train_rows) if row[:2] not in test_pairs]
    assume(len({rating for *_, rating in train}) > 1)
    assume(test)
    files = [file_of(rows) for rows in train_files] + [file_of(r, test=True) for r in test_files]
    dataset = dataset_of(*files)
    assert rows_of(dataset, dataset.train) == train
    assert rows_of(dataset, dataset.test) == test
    counts = dataset.counts
    assert counts["rows"] == len(train_rows) + len(test_rows)
    assert counts["held_out_from_train"] == len(latest_of(train_rows)) - len(train)
    assert counts["rows"] == sum(
        counts[name]
        for name in (
            *("rejected", "duplicates_replaced", "held_out_from_train"),
            *("train_rows", "test_rows"),
        )
    )


def test_without_timestamps_the_later_file_wins_and_then_the_later_line() -> None:
    first, second = [("a", "x", 1.0, -1), ("a", "y", 2.0, -1)], [("a", "x", 3.0, -1)]
    third = [("a", "x", 4.0, -1), ("a", "x", 5.0, -1), ("b", "y", 1.0, -1)]
    test = file_of([("b", "x", 1.0, -1)], test=True)
    dataset = dataset_of(file_of(first), file_of(second), file_of(third), test)
    assert rows_of(dataset, dataset.train) == [("a", "y", 2.0), ("a", "x", 5.0), ("b", "y", 1.0)]
    assert dataset.counts["duplicates_replaced"] == 3


def test_a_pair_of_a_test_file_is_never_trained_on() -> None:
    train = file_of([("a", "x", 5.0, 99), ("a", "y", 4.0, 1), ("b", "x", 1.0, 1)])
    test = file_of([("a", "x", 2.0, 1)], test=True)
    for files in ([train, test], [test, train]):
        dataset = dataset_of(*files)
        assert rows_of(dataset, dataset.train) == [("a", "y", 4.0), ("b", "x", 1.0)]
        assert rows_of(dataset, dataset.test) == [("a", "x", 2.0)]
        assert dataset.counts["held_out_from_train"] == 1


def test_a_classifier_learns_likes_and_a_regressor_ratings() -> None:
    ratings = np.array([1, 3.5, 4, 5], np.float32)
    assert labels(ratings, CLASSIFIER).tolist() == [0, 0, 1, 1]
    assert labels(ratings, REGRESSOR).tolist() == [1, 3.5, 4, 5]
    assert {labels(ratings, config).dtype for config in (CLASSIFIER, REGRESSOR)} == {
        np.dtype(np.float32)
    }


def test_a_rating_as_written_reaches_the_threshold_as_written() -> None:
    config = CatalogConfig(like_threshold=4.1)
    assert labels(np.array([4.1, 4.0999], np.float32), config).tolist() == [1, 0]


def test_the_bytes_are_those_of_the_sagemaker_sdk() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own, on import
        from sagemaker.amazon.common import write_spmatrix_to_sparse_tensor
    lines = movielens_like()
    ratings, _ = parse_ratings("ratings/films/ua.base", lines, 0.1)
    test = file_of([("61", "1", 5.0, 1), ("1", "91", 2.0, 1)], test=True)
    dataset = dataset_of(ParsedFile("ratings/films/ua.base", ratings, is_test=False), test)
    dense = np.zeros((len(ratings), 61 + 91), np.float32)
    likes = []
    written = [line.split(b"\t") for line in lines.splitlines()]
    for place, (user, item, rating, _) in enumerate(written):
        dense[place, int(user) - 1] = 1
        dense[place, 61 + int(item) - 1] = 1
        likes.append(float(rating) >= 4)
    expected = io.BytesIO()
    matrix, targets = scipy.sparse.csr_matrix(dense), np.array(likes, np.float32)
    write_spmatrix_to_sparse_tensor(expected, matrix, targets)
    assert encode(dataset.train, dataset.vocabulary, CLASSIFIER) == expected.getvalue()


def test_a_movielens_row_takes_64_bytes() -> None:
    ratings, _ = parse_ratings("ua.base", movielens_like(), 0.1)
    vocabulary = Vocabulary.of(map(str, range(1, 944)), map(str, range(1, 1683)))
    users = np.array([vocabulary.user_numbers[user] for user in ratings.users])
    items = np.array([vocabulary.item_numbers[item] for item in ratings.items])
    data = encode(Side(users, items, ratings.values), vocabulary, CLASSIFIER)
    assert len(data) == 64 * len(ratings)
    assert struct.unpack("<II", data[:8])[0] == 0xCED7230A


@given(distinct_rows())
def test_encoded_rows_are_read_back_as_users_items_and_labels(rows: list[Row]) -> None:
    vocabulary = Vocabulary.of((row[0] for row in rows), (row[1] for row in rows))
    users = np.array([vocabulary.user_numbers[row[0]] for row in rows])
    items = np.array([vocabulary.item_numbers[row[1]] for row in rows])
    side = Side(users, items, np.array([row[2] for row in rows], np.float32))
    features, targets = read_rows(encode(side, vocabulary, REGRESSOR))
    assert features.dimension == vocabulary.dimension
    assert features.columns[0::2].tolist() == users.tolist()
    assert (features.columns[1::2] - len(vocabulary.users)).tolist() == items.tolist()
    assert targets is not None
    assert targets.tolist() == side.ratings.tolist()


def test_equal_files_give_equal_bytes() -> None:
    ratings, _ = parse_ratings("ua.base", movielens_like(), 0.1)
    files = [ParsedFile("ua.base", ratings, is_test=False)]
    one, other = (build_dataset("films", files, CLASSIFIER) for _ in range(2))
    assert encode(one.train, one.vocabulary, CLASSIFIER) == encode(
        other.train, other.vocabulary, CLASSIFIER
    )


def test_the_vocabulary_covers_the_ids_of_both_sides() -> None:
    train = file_of([("1", "10", 5.0, 1), ("2", "10", 1.0, 1)])
    test = file_of([("3", "9", 4.0, 1)], test=True)
    dataset = dataset_of(train, test)
    assert dataset.vocabulary == Vocabulary(("1", "2", "3"), ("9", "10"))


def test_counts_say_what_became_of_the_rows() -> None:
    train = file_of(
        [
            *(("1", "10", 5.0, 1), ("1", "10", 4.0, 2), ("2", "10", 1.0, 1), ("2", "11", 4.5, 1)),
            *(("3", "9", 5.0, 1), ("1", "11", 2.0, 1)),
        ],
        rejected=2,
    )
    test = file_of([("3", "9", 4.0, 1), ("3", "10", 3.0, 1)], test=True, rejected=1)
    dataset = dataset_of(train, test, config=CLASSIFIER)
    assert dataset.counts == {
        "files": 2,
        "rows": 11,
        "rejected": 3,
        "duplicates_replaced": 1,
        "repeats_by_time": 1,
        "repeats_by_order": 0,
        "not_rated": 0,
        "held_out_from_train": 1,
        "users": 3,
        "items": 3,
        "cold_users": 0,
        "cold_items": 0,
        "feature_dim": 6,
        "train_rows": 4,
        "test_rows": 2,
        "train_non_zeros": 8,
        "test_non_zeros": 4,
        "sparsity": pytest.approx(1 - 2 / 6),
        "train_positive_share": 0.5,
        "test_positive_share": 0.5,
    }
    assert json.loads(json.dumps(dataset.counts)) == dataset.counts
    assert dict(zip(dataset.vocabulary.items, dataset.item_likes.tolist(), strict=True)) == {
        "9": 0,
        "10": 1,
        "11": 1,
    }


SOME = [("1", "10", 5.0, 1), ("2", "10", 1.0, 1), ("1", "11", 3.0, 1)]


@pytest.mark.parametrize(
    ("files", "config", "words"),
    [
        ([], CLASSIFIER, ["no rating at all", "0 rows"]),
        ([file_of([], rejected=7)], CLASSIFIER, ["no rating at all", "7 were rejected"]),
        ([file_of(SOME, test=True)], CLASSIFIER, ["to train on", "3 are in the test set"]),
        (
            [file_of(SOME), file_of(SOME, test=True)],
            CLASSIFIER,
            ["to train on", "3 train ratings are of test pairs"],
        ),
        ([file_of(SOME), file_of([], test=True)], CLASSIFIER, ["to test with", "3 are in"]),
        (
            [file_of(SOME[:1] * 5), file_of(SOME[1:], test=True)],
            CLASSIFIER,
            ["from 5 to 5, are at least like_threshold 4"],
        ),
        (
            [file_of(SOME[1:]), file_of(SOME[:1], test=True)],
            CLASSIFIER,
            ["from 1 to 3, are below like_threshold 4"],
        ),
        (
            [file_of([("1", str(n), 2.5, 1) for n in range(9)]), file_of(SOME[:1], test=True)],
            REGRESSOR,
            ["all 9 train ratings are 2.5"],
        ),
        (
            [file_of(SOME)],
            CatalogConfig(holdout_fraction=1e-12),
            ["to test with", "split.fraction 1e-12"],
        ),
    ],
)
def test_what_cannot_be_learned_from_is_refused_with_numbers(
    files: list[ParsedFile], config: CatalogConfig, words: list[str]
) -> None:
    with pytest.raises(UnsuitableRatingsError) as caught:
        build_dataset("films", files, config)
    assert caught.value.catalog == "films"
    for word in words:
        assert word in caught.value.reason
