"""Whole runs in small pieces, blocks, parts and threads, against the rules read aloud."""

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.catalog.config import CatalogConfig
from recommender.dataset import deduplication, spool
from recommender.dataset.deduplication import TRAIN
from recommender.dataset.encoding import RunRows
from recommender.errors import UnsuitableRatingsError
from recommender.ratings.reading import read_ratings

from testbed.ratings.datasets import WholeDataset, encode, rows_of, standing

Row = tuple[str, str, float, int]
Files = list[tuple[list[Row], bool]]

THREADS = ThreadPoolExecutor(2)

IDS = st.sampled_from(["1", "2", "3", "40000000", "007", "ann"])
ROWS = st.lists(st.tuples(IDS, IDS, st.integers(0, 9).map(float), st.integers(-1, 5)), max_size=30)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_ROWS_OF_A_BLOCK", 3)
    monkeypatch.setattr(spool, "_MOST_IN_MEMORY", 100)
    monkeypatch.setattr(deduplication, "_ROWS_OF_A_PART", 7)


def dataset_of(files: Files, config: CatalogConfig) -> WholeDataset:
    rows = RunRows()
    for number, (lines, is_test) in enumerate(files):
        if lines:
            text = "".join(
                ",".join(map(str, row if row[3] >= 0 else row[:3])) + "\n" for row in lines
            )
            into = rows.builder(f"ratings/films/{number}", is_test=is_test)
            read_ratings(iter([text.encode()]), into, 0.0)
    return WholeDataset("films", rows, config, THREADS)


def latest(rows: list[Row]) -> list[Row]:
    """The rows that stand, in their order."""
    return [rows[place] for place in sorted(standing(rows))]


@given(st.lists(st.tuples(ROWS, st.booleans()), min_size=1, max_size=4))
def test_given_test_files_are_kept_apart_and_later_ratings_win(files: Files) -> None:
    files = [*files, ([("9", "9", 1.0, 1)], True)]
    train = latest([row for rows, is_test in files if not is_test for row in rows])
    test = latest([row for rows, is_test in files if is_test for row in rows])
    tested = {row[:2] for row in test}
    kept = [row[:3] for row in train if row[:2] not in tested]
    try:
        dataset = dataset_of(files, CatalogConfig(predictor_type="regressor"))
    except UnsuitableRatingsError:
        assert len({row[2] for row in kept}) < 2
        return
    assert rows_of(dataset, dataset.train) == kept
    assert rows_of(dataset, dataset.test) == [row[:3] for row in test]
    seen = defaultdict(set)
    for user, item, *_ in kept + [row[:3] for row in test]:
        seen[user].add(dataset.vocabulary.item_numbers[item])
    numbers = [number for chunk in dataset.seen_items.chunks() for number in chunk.tolist()]
    for user, count in zip(dataset.vocabulary.users, dataset.seen_counts.tolist(), strict=True):
        assert numbers[:count] == sorted(seen[user])
        del numbers[:count]
    assert not numbers


@given(st.lists(ROWS, min_size=1, max_size=3), st.integers(1, 3))
def test_the_latest_ratings_of_each_user_are_set_aside(files: list[list[Row]], last: int) -> None:
    rows = latest([row for part in files for row in part])
    by_user = defaultdict(list)
    for place, row in enumerate(rows):
        by_user[row[0]].append((row[3], place))
    aside = set()
    for theirs in by_user.values():
        theirs.sort()
        aside |= {place for _, place in theirs[max(1, len(theirs) - last) :]}
    train = [row[:3] for place, row in enumerate(rows) if place not in aside]
    test = [row[:3] for place, row in enumerate(rows) if place in aside]
    config = CatalogConfig(predictor_type="regressor", last_per_user=last)
    try:
        dataset = dataset_of([(part, False) for part in files], config)
    except UnsuitableRatingsError:
        assert not test or len({row[2] for row in train}) < 2
        return
    assert rows_of(dataset, dataset.train) == train
    assert rows_of(dataset, dataset.test) == test


def many_rows() -> list[Row]:
    rng = random.Random(3)
    return [
        (str(rng.randint(1, 20)), str(rng.randint(1, 300)), rng.randint(1, 10) / 2, n)
        for n in range(2000)
    ]


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_shards_are_balanced_and_join_to_the_whole(shards: int) -> None:
    config = CatalogConfig()
    dataset = dataset_of([(many_rows(), False)], config)
    train = [b""] * shards
    test = b""
    for side, shard, records in dataset.records(shards):
        if side == TRAIN:
            train[shard] += records
        else:
            test += records
    assert b"".join(train) == encode(dataset.train, dataset.vocabulary, config)
    assert test == encode(dataset.test, dataset.vocabulary, config)
    counts = [data.count(b"\x0a\x23\xd7\xce") for data in train]
    assert sum(counts) == dataset.rows_of(TRAIN)
    assert max(counts) - min(counts) <= 1


def test_pieces_and_threads_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [(many_rows(), False), (many_rows()[500:], False)]
    small = dataset_of(files, CatalogConfig())
    monkeypatch.undo()
    whole = dataset_of(files, CatalogConfig())
    train = b"".join(records for side, _, records in small.records() if side == TRAIN)
    assert train == encode(whole.train, whole.vocabulary, CatalogConfig())
    assert small.counts == whole.counts
    assert small.item_likes.tolist() == whole.item_likes.tolist()
