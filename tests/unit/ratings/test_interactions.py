"""Files without ratings: who did what with which item, how often, and when."""

import datetime as dt
import gzip
import io
import json
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recommender.dataset.encoding import RunRows
from recommender.errors import MalformedRatingsError
from recommender.formats import lines as text_lines
from recommender.ratings import reading
from recommender.ratings.form import RatingForm
from recommender.ratings.reading import read_ratings

from testbed.ratings.datasets import ids_of, parse_ratings
from testbed.ratings.files import KEY

IMPLICIT = RatingForm(feedback="implicit")
EVENTS = RatingForm(events={"purchase": 3, "view": 0.5, "skip": 0, "7": 2})
Read = list[tuple[str, str, float, int]]
FORMATS = ("csv", "json", "parquet")


def written(rows: Sequence[Mapping[str, Any]], form: str) -> bytes:
    names = list(rows[0])
    if form == "csv":
        lines = [names, *([row[name] for name in names] for row in rows)]
        return "".join(";".join(map(str, line)) + "\n" for line in lines).encode()
    if form == "json":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), out)
    return out.getvalue()


def read(data: bytes, form: RatingForm = EVENTS, limit: float = 0.1) -> Read:
    found, _ = parse_ratings(KEY, data, limit, form)
    columns = (found.users, found.items, found.values.tolist(), found.timestamps.tolist())
    return list(zip(*columns, strict=True))


def refusal(data: bytes, form: RatingForm) -> str:
    with pytest.raises(MalformedRatingsError) as caught:
        parse_ratings(KEY, data, 0.1, form)
    return caught.value.reason


@pytest.mark.parametrize("form", FORMATS)
def test_pairs_count_one_each(form: str) -> None:
    rows = [{"user_id": "a", "product_id": 1}, {"user_id": "b", "product_id": 2}]
    assert read(written(rows, form)) == [("a", "1", 1.0, -1), ("b", "2", 1.0, -1)]


@pytest.mark.parametrize("form", FORMATS)
def test_a_count_is_multiplied_by_the_weight_of_its_event(form: str) -> None:
    rows = [
        {"item": "x", "ts": 10, "event_type": "purchase", "user": "a", "qty": 2},
        {"item": "y", "ts": 20, "event_type": "view", "user": "b", "qty": 1.5},
        {"item": "z", "ts": 30, "event_type": "7", "user": "b", "qty": 0.1},
    ]
    found = read(written(rows, form))
    assert [row[:2] for row in found] == [("a", "x"), ("b", "y"), ("b", "z")]
    assert [row[2] for row in found] == pytest.approx([6.0, 0.75, 0.2])
    assert [row[3] for row in found] == [10, 20, 30]


@pytest.mark.parametrize("form", FORMATS)
def test_without_weights_all_events_count_the_same(form: str) -> None:
    rows = [{"user": "a", "item": "x", "action": one} for one in ("view", "anything", "")]
    assert [row[2] for row in read(written(rows, form), RatingForm())] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"count": -1.0}, "count -1 is negative"),
        ({"count": 1e13}, "can be no count"),
        ({"event": "listen"}, "event 'listen' is none of those in config.json"),
        ({"event": ""}, "event is empty"),
    ],
)
def test_a_row_that_says_nothing_usable_is_rejected(
    form: str, bad: dict[str, Any], reason: str
) -> None:
    good = {"user": "a", "item": "x", "count": 2.0, "event": "view"}
    _, rejects = parse_ratings(KEY, written([good, {**good, **bad}, good], form), 0.1, EVENTS)
    assert len(rejects) == 1
    assert reason in rejects[0].reason


@pytest.mark.parametrize("cell", ["", "many", "nan", "inf", "1e999"])
def test_a_count_is_a_finite_number(cell: str) -> None:
    data = f"user,item,plays\na,x,1\nb,y,{cell}\nc,z,1\n".encode()
    found, rejects = parse_ratings(KEY, data, 0.1)
    assert (len(found), len(rejects)) == (2, 1)
    assert rejects[0].reason.startswith("count ")


@pytest.mark.parametrize("form", FORMATS)
def test_what_counts_nothing_is_left_out_and_counted(form: str) -> None:
    rows = [
        {"user": "a", "item": "x", "count": 1, "event": "view"},
        {"user": "b", "item": "x", "count": 0, "event": "view"},
        {"user": "c", "item": "x", "count": 5, "event": "skip"},
    ]
    run = RunRows()
    into = run.builder(KEY, is_test=False)
    read_ratings(iter([written(rows, form)]), into, 0.0, EVENTS)
    assert (into.rows, into.rejected, into.account.weightless) == (1, 0, 2)
    assert run.weightless == 2
    assert list(run.users.spelled_ids()) == ["a"]


def test_a_rating_is_a_count_where_the_settings_say_that_there_are_none() -> None:
    data = b"user,item,rating\na,x,3\n"
    assert read(data, IMPLICIT) == [("a", "x", 3.0, -1)]
    both = b"user,item,rating,count\na,x,3,2\n"
    assert read(both, IMPLICIT) == [("a", "x", 2.0, -1)]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"a,x\nb,y\n", [("a", "x", 1.0, -1), ("b", "y", 1.0, -1)]),
        (b"1\t2\t4\n3\t4\t2\n", [("1", "2", 4.0, -1), ("3", "4", 2.0, -1)]),
        (b"1 | 2\n", [("1", "2", 1.0, -1)]),
        (
            b"1::2::881250949\n3::4::881250950\n",
            [("1", "2", 1.0, 881250949), ("3", "4", 1.0, 881250950)],
        ),
        (b"a,x,2024-01-01\n", [("a", "x", 1.0, 1704067200)]),
        (b"a,x,7,881250949\n", [("a", "x", 7.0, 881250949)]),
    ],
)
def test_without_a_header_the_third_column_is_the_time_or_the_count(
    data: bytes, rows: Read
) -> None:
    assert read(data, IMPLICIT) == rows


def test_columns_are_where_the_settings_say() -> None:
    by_number = RatingForm(columns={"user": 3, "item": 1, "count": 2})
    assert read(b"x,4,a\ny,5,b\n", by_number) == [("a", "x", 4.0, -1), ("b", "y", 5.0, -1)]
    user_alone = RatingForm(columns={"user": 2}, feedback="implicit")
    assert read(b"x,a\ny,b\n", user_alone) == [("a", "x", 1.0, -1), ("b", "y", 1.0, -1)]
    by_name = RatingForm(columns={"user": "who", "item": "what", "count": "often"})
    assert read(b"often,what,who\n4,x,a\n", by_name) == [("a", "x", 4.0, -1)]
    rated = RatingForm(columns={"user": "who", "rating": "hearts"}, feedback="implicit")
    assert read(b"hearts,item,who\n4,x,a\n", rated) == [("a", "x", 4.0, -1)]


@pytest.mark.parametrize(
    ("data", "form", "words"),
    [
        (b"user,item\n1,2\n", RatingForm(feedback="explicit"), ["no rating", "of its own"]),
        (
            b'{"user": 1, "item": 2}\n',
            RatingForm(feedback="explicit"),
            ["no row has a rating", "of its own"],
        ),
        (
            written([{"user": 1, "item": 2}], "parquet"),
            RatingForm(feedback="explicit"),
            ["no rating", "of its own"],
        ),
        (b"user,item,rating\n1,2,3\n", RatingForm(first_file="x.csv"), ["x.csv", "of its own"]),
        (b"1,2,3\n", RatingForm(first_file="x.csv"), ["holds ratings", "x.csv"]),
        (
            b'{"user": 1, "item": 2, "rating": 3}\n',
            RatingForm(first_file="x.csv"),
            ["holds ratings", "x.csv"],
        ),
        (
            written([{"user": 1, "item": 2, "rating": 3}], "parquet"),
            RatingForm(first_file="x.csv"),
            ["holds ratings", "x.csv"],
        ),
        (b"viewer,thing\n1,2\n", IMPLICIT, ["no user", "'viewer'"]),
        (b"user,thing\n1,2\n", IMPLICIT, ["no item", "'thing'"]),
        (b"hello\n", IMPLICIT, ["not a table of users and items"]),
        (b"user,item\n1,2\n", RatingForm(columns={"count": "n"}), ["no count", "'item'"]),
        (
            b"user,item\n1,2\n",
            RatingForm(columns={"rating": "n"}, feedback="implicit"),
            ["no count", "'item'"],
        ),
        (
            b"user,item,when\n1,2,3\n",
            RatingForm(columns={"user": "who", "timestamp": "date"}, feedback="implicit"),
            ["names no user:", "'when'"],
        ),
        (
            written([{"user": 1, "item": 2}], "parquet"),
            RatingForm(columns={"count": "n"}),
            ["no count", "'item'"],
        ),
        (b"a,x,good\nb,y,bad\n", IMPLICIT, ["none of the 2 rows", "perhaps count"]),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(
    data: bytes, form: RatingForm, words: list[str]
) -> None:
    reason = refusal(data, form)
    for word in words:
        assert word in reason


@pytest.mark.parametrize("form", FORMATS)
def test_a_column_without_a_known_name_that_may_hold_ratings_is_not_passed_over(form: str) -> None:
    rng = random.Random(1)
    rows = [{"user": n, "item": n, "grade": rng.choice((1, 2.5, 5))} for n in range(60)]
    reason = refusal(written(rows, form), RatingForm())
    assert "no rating" in reason
    assert '"feedback": "implicit"' in reason
    assert len(read(written(rows, form), IMPLICIT)) == 60


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("other", [{"price": 499}, {"plays": 1, "hour": 7}])
def test_other_numbers_are_passed_over(form: str, other: dict[str, int]) -> None:
    rows = [{"user": n, "item": n, **other} for n in range(60)]
    assert [row[2] for row in read(written(rows, form))] == [1.0] * 60


def test_a_rating_among_rows_without_one_is_rejected() -> None:
    rows = [{"user": n, "item": n} for n in range(200)]
    data = written(rows, "json") + b'{"user": 1, "item": 5, "rating": 3}\n'
    _, rejects = parse_ratings(KEY, data, 0.1)
    assert [reject.line for reject in rejects] == [201]
    assert "has a rating" in rejects[0].reason


def test_a_time_in_a_parquet_file_is_a_time() -> None:
    when = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    rows = [{"user": 1, "item": 2, "event_time": "x", "date": when}]
    assert read(written(rows, "parquet")) == [("1", "2", 1.0, 1704067200)]


def many(seed: int = 5, damage: float = 0.0) -> bytes:
    rng = random.Random(seed)
    lines = ["event,user,item,ts,quantity"]
    for n in range(3000):
        event = "oops" if rng.random() < damage else rng.choice(("view", "purchase", "skip"))
        count = rng.choice(("0", "1", "0.1", "2.5", "12"))
        lines.append(f"{event},u{rng.randrange(50)},{rng.randrange(90)},{n},{count}")
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("damage", [0.0, 0.01])
def test_blocks_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch, damage: float) -> None:
    def streamed(threads: ThreadPoolExecutor | None) -> object:
        run, parts = RunRows(), []
        into = run.builder(KEY, is_test=False)
        into._take = parts.append  # looks at the rows on their way
        read_ratings(iter([gzip.compress(many(damage=damage))]), into, 0.5, EVENTS, threads)
        rows = [
            row
            for part in parts
            for row in zip(
                ids_of(run.users, part.users),
                ids_of(run.items, part.items),
                *(one.tolist() for one in (part.values, part.timestamps, part.lines)),
                strict=True,
            )
        ]
        return rows, into.account.weightless, into.rejected, run.rejects.kept

    whole = streamed(None)
    with ThreadPoolExecutor(2) as threads:
        assert streamed(threads) == whole
        monkeypatch.setattr(text_lines, "_BLOCK_BYTES", 300)
        monkeypatch.setattr(reading, "_SMALLEST_BLOCK", 100)
        assert streamed(threads) == whole
        monkeypatch.setattr(reading, "read_alike_rows", lambda *_: None)
        assert streamed(threads) == whole
