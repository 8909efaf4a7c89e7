"""Catalogs without ratings: rows of a pair add up, against the rules read aloud."""

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.catalog.config import CatalogConfig, parse_config
from recommender.dataset import deduplication, spool
from recommender.dataset.encoding import RunRows, labels
from recommender.dataset.ranking_rows import RankingRows
from recommender.errors import UnsuitableRatingsError
from recommender.ratings.reading import read_ratings
from recommender.recordio.reading import read_rows

from testbed.ratings.datasets import WholeDataset, rows_of, standing

KEY = "catalogs/films/config.json"
DAY = 86_400
Row = tuple[str, str, float, int]
Files = list[tuple[list[Row], bool]]

THREADS = ThreadPoolExecutor(2)

IDS = st.sampled_from(["1", "2", "3", "40000000", "007", "ann"])
COUNTS = st.sampled_from([0.0, 0.1, 1.0, 2.5, 7.0, 1e6])
ROWS = st.lists(
    st.tuples(IDS, IDS, COUNTS, st.integers(-1, 5).map(lambda day: day * DAY if day > 0 else day)),
    max_size=30,
)
HALF_LIVES = st.sampled_from([0.0, 0.5, 3.0])


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_ROWS_OF_A_BLOCK", 3)
    monkeypatch.setattr(spool, "_MOST_IN_MEMORY", 100)
    monkeypatch.setattr(deduplication, "_ROWS_OF_A_PART", 7)


def implicit(half_life_days: float = 0.0, last_per_user: int = 0) -> CatalogConfig:
    config = CatalogConfig(half_life_days=half_life_days, last_per_user=last_per_user)
    return config.known_to_be(KEY, "implicit")


def run_of(files: Files, config: CatalogConfig) -> RunRows:
    run = RunRows()
    for number, (rows, is_test) in enumerate(files):
        if rows:
            text = "user,item,count,timestamp\n" + "".join(
                ",".join(map(str, row if row[3] >= 0 else (*row[:3], ""))) + "\n" for row in rows
            )
            into = run.builder(f"ratings/films/{number}", is_test=is_test)
            read_ratings(iter([text.encode()]), into, 0.0, config.rating_form())
    return run


def dataset_of(files: Files, config: CatalogConfig, threads: object = THREADS) -> WholeDataset:
    return WholeDataset("films", run_of(files, config), config, threads)  # type: ignore[arg-type]


def added_up(rows: list[Row], newest: int, half_life: float) -> list[tuple[str, str, float, int]]:
    """The rule read aloud: the latest row of a pair stands for all, and says what they come to."""
    rows = [row for row in rows if row[2]]
    totals: dict[tuple[str, str], float] = defaultdict(float)
    for user, item, count, time in rows:
        age = newest - time if time >= 0 else 0
        totals[user, item] += count * (2 ** (-age / DAY / half_life) if half_life else 1)
    kept = (rows[place] for place in sorted(standing(rows)))
    return [(user, item, totals[user, item], time) for user, item, _, time in kept]


def same(found: list[tuple[str, str, float]], expected: list[Row]) -> None:
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert [row[2] for row in found] == pytest.approx([row[2] for row in expected], rel=1e-6)


@given(st.lists(st.tuples(ROWS, st.booleans()), min_size=1, max_size=4), HALF_LIVES)
def test_the_rows_of_a_pair_add_up_on_their_side(files: Files, half_life: float) -> None:
    files = [([("8", "9", 1.0, DAY), ("9", "8", 1.0, DAY)], False), *files]
    files.append(([("9", "9", 1.0, DAY)], True))
    rows = [(row, is_test) for part, is_test in files for row in part]
    newest = max(row[3] for row, _ in rows if row[2])
    train = added_up([row for row, is_test in rows if not is_test], newest, half_life)
    test = added_up([row for row, is_test in rows if is_test], newest, half_life)
    tested = {row[:2] for row in test}
    dataset = dataset_of(files, implicit(half_life))
    same(rows_of(dataset, dataset.train), [row for row in train if row[:2] not in tested])
    same(rows_of(dataset, dataset.test), test)
    counts = dataset.counts
    assert counts["weightless"] == sum(not row[2] for row, _ in rows)
    assert counts["rows"] == len(rows)
    assert counts["duplicates_replaced"] == len(rows) - counts["weightless"] - len(train) - len(
        test
    )
    likes = defaultdict(int)
    for _, item, _ in rows_of(dataset, dataset.train):
        likes[item] += 1
    assert dataset.item_likes.tolist() == [likes[item] for item in dataset.vocabulary.items]


@given(st.lists(ROWS, min_size=1, max_size=3), st.integers(1, 3))
def test_the_latest_row_decides_when_a_pair_was(files: list[list[Row]], last: int) -> None:
    files = [[("8", "9", 1.0, 1), ("8", "8", 2.0, 2), ("9", "9", 1.0, 2)], *files]
    pairs = added_up([row for part in files for row in part], 0, 0)
    by_user = defaultdict(list)
    for place, row in enumerate(pairs):
        by_user[row[0]].append((row[3], place))
    aside = set()
    for theirs in by_user.values():
        theirs.sort()
        aside |= {place for _, place in theirs[max(1, len(theirs) - last) :]}
    dataset = dataset_of([(part, False) for part in files], implicit(last_per_user=last))
    same(rows_of(dataset, dataset.train), [row for at, row in enumerate(pairs) if at not in aside])
    same(rows_of(dataset, dataset.test), [row for at, row in enumerate(pairs) if at in aside])


def many_rows(n: int = 3000) -> list[Row]:
    rng = random.Random(3)
    return [
        (str(rng.randint(1, 20)), str(rng.randint(1, 30)), rng.randint(1, 99) / 10, DAY * n)
        for n in range(n)
    ]


def test_pieces_and_threads_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    files, config = [(many_rows(), False), (many_rows()[500:], False)], implicit(100.0)

    def written(dataset: WholeDataset) -> tuple[bytes, object]:
        nobody = np.zeros(len(dataset.vocabulary.users), np.bool_)
        rows = RankingRows(dataset, config.ranking, nobody)
        return b"".join(rows.weighted()), dataset.counts

    small = written(dataset_of(files, config))
    assert written(dataset_of(files, config, None)) == small
    monkeypatch.undo()
    assert written(dataset_of(files, config)) == small


def test_a_pair_weighs_the_logarithm_of_its_total() -> None:
    rows = [("a", "x", 1.0, 1), ("a", "x", 2.0, 2), ("a", "y", 1.0, 3), ("b", "y", 6.0, 4)]
    config = implicit()
    dataset = dataset_of([(rows, False), ([("b", "x", 1.0, 1)], True)], config)
    nobody = np.zeros(2, np.bool_)
    _, weights = read_rows(b"".join(RankingRows(dataset, config.ranking, nobody).weighted()))
    assert weights is not None
    assert weights.tolist() == pytest.approx([2.0, 1.0, np.log2(7)])
    assert labels(dataset.train.ratings, config).tolist() == [1.0, 1.0, 1.0]


def test_what_is_ages_old_still_teaches_that_it_happened() -> None:
    rows = [("a", "x", 1.0, 1), ("b", "y", 1.0, 1), ("b", "x", 1.0, 9_000_000_000)]
    config = implicit(half_life_days=0.01)
    dataset = dataset_of([(rows, False), ([("a", "y", 1.0, 5)], True)], config)
    weights = config.ranking.weigh(dataset.train.ratings, dataset.lowest, dataset.highest)
    assert weights.tolist() == pytest.approx([1e-6, 1e-6, 1.0])


def test_an_infinite_count_is_a_single_event_and_none_is_none() -> None:
    given_ = np.array([np.inf, 0.0, -3.0, 3.0], np.float32)
    assert implicit().ranking.weigh(given_, 1, 9).tolist() == pytest.approx([1.0, 0.0, 0.0, 2.0])


@pytest.mark.parametrize(
    ("train", "test", "reason"),
    [
        ([], [], "no pair of user and item at all"),
        ([("a", "x", 0.0, 1)], [], "1 count nothing"),
        ([("a", "x", 1.0, 1)], [], "no pair of user and item is left to test with"),
        ([], [("a", "x", 1.0, 1)], "no pair of user and item is left to train on"),
        ([("a", "x", 1.0, 1), ("a", "y", 1.0, 1)], [("a", "z", 1.0, 1)], "a single user"),
        ([("a", "x", 1.0, 1), ("b", "x", 1.0, 1)], [("c", "x", 1.0, 1)], "a single item"),
    ],
)
def test_what_no_list_can_be_learned_from_is_refused(
    train: list[Row], test: list[Row], reason: str
) -> None:
    with pytest.raises(UnsuitableRatingsError, match=reason):
        dataset_of([(train, False), (test, True)], implicit())


def test_equal_counts_are_something_to_learn_from() -> None:
    config = parse_config(KEY, b'{"feedback": "implicit", "predictor_type": "regressor"}')
    rows = [("a", "x", 1.0, 1), ("b", "y", 1.0, 1)]
    assert dataset_of([(rows, False), ([("a", "y", 1.0, 1)], True)], config).rows == 3


def test_a_row_of_a_time_far_ahead_does_not_let_the_others_fade() -> None:
    rows = [("1", "2", 1.0, DAY), ("3", "2", 1.0, 3 * DAY), ("2", "3", 1.0, 30_000 * DAY)]
    config = implicit(half_life_days=2)
    run = run_of([(rows, False), ([("1", "3", 1.0, 3 * DAY)], True)], config)
    run.written_by = 3 * DAY
    dataset = WholeDataset("films", run, config)
    assert [value for *_, value in rows_of(dataset, dataset.train)] == [0.5, 1.0, 1.0]
