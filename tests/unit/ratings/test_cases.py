"""Small files of the kinds that other programs write and readers get wrong: what each one says."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from recommender.catalog.keys import by_product_of
from recommender.catalog.sheets import read_sheet
from recommender.catalog.titles import titles_of
from recommender.dataset.deduplication import TRAIN, deduplicate
from recommender.dataset.encoding import RunRows
from recommender.dataset.vocabulary import Numbering
from recommender.errors import MalformedRatingsError
from recommender.ratings.form import RatingForm, Writing
from recommender.ratings.reading import read_ratings
from recommender.ratings.rejects import Reject

from testbed.ratings.datasets import ids_of, parse_ratings

CASES = Path(__file__).parent / "fixtures" / "cases"


def rows(name: str, form: RatingForm | None = None) -> list[tuple[str, str, float]]:
    found, rejects = parse_ratings(name, data_of(name), 0.0, form or RatingForm())
    assert rejects == []
    return list(zip(found.users, found.items, found.values.tolist(), strict=True))


def times(name: str) -> list[datetime]:
    found, _ = parse_ratings(name, data_of(name), 0.0)
    return [datetime.fromtimestamp(at, UTC) for at in found.timestamps.tolist()]


def rejects(name: str) -> tuple[list[tuple[str, str, float]], list[Reject]]:
    found, bad = parse_ratings(name, data_of(name), 0.1)
    return list(zip(found.users, found.items, found.values.tolist(), strict=True)), bad


def data_of(name: str) -> bytes:
    return (CASES / name).read_bytes()


def refusal(name: str) -> MalformedRatingsError:
    with pytest.raises(MalformedRatingsError) as refused:
        parse_ratings(name, data_of(name), 0.1)
    return refused.value


def standing(*names: str) -> dict[tuple[str, str], float]:
    """The ratings that stand when these files are a catalog, the first the oldest object."""
    run = RunRows()
    for name in names:
        read_ratings(iter([data_of(name)]), run.builder(name, is_test=False), 0.0)
    run.spool.close()
    outcomes = deduplicate(run.spool, Numbering.of(run.users), Numbering.of(run.items)).outcomes
    found = {}
    for block in run.spool.blocks:
        users, items = ids_of(run.users, block.users()), ids_of(run.items, block.items())
        kept = outcomes[block.first : block.first + len(block)] == TRAIN
        for at in np.flatnonzero(kept).tolist():
            found[users[at], items[at]] = float(block.values()[at])
    return found


# --- Parquet --------------------------------------------------------------------------------------


def test_a_decimal_has_the_scale_that_the_file_says() -> None:
    assert [row[2] for row in rows("01-decimal-rating.parquet")] == [1.5, 3.0, 4.5]
    assert rows("01b-spark-decimal.parquet") == [("u1", "5", 4.5)]


def test_unsigned_ids_have_no_sign() -> None:
    found = rows("02-unsigned-ids.parquet")
    assert [row[0] for row in found] == ["7", "3000000000", "4294967295"]
    assert [row[1] for row in found] == ["1", "2", "9223372036854775813"]


@pytest.mark.parametrize("newer", ["03-date-column.parquet", "06-float-nanoseconds.parquet"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_column_of_days_or_of_nanoseconds_compares_with_seconds(
    newer: str,
    is_first: bool,  # noqa: FBT001
) -> None:
    names = (newer, "21a-old.csv") if is_first else ("21a-old.csv", newer)
    assert standing(*names)["u1", "i1"] == 1.0


def test_an_id_of_sixteen_bytes_is_a_uuid() -> None:
    expected = ("00000000-0000-0000-0000-00000000000a", "i1", 4.0)
    assert rows("04-uuid-id.parquet") == [expected]


@pytest.mark.parametrize(
    ("name", "many"), [("36-delta-ids.parquet", 2), ("37-lz4-hadoop.parquet", 40)]
)
def test_rarer_encodings_and_compressions_are_read(name: str, many: int) -> None:
    assert len(rows(name)) == many


@pytest.mark.parametrize("name", ["40-declared-count.parquet", "41-column-offset.parquet"])
def test_a_hostile_file_is_refused_by_name(name: str) -> None:
    assert refusal(name).key == name


# --- tables of text -------------------------------------------------------------------------------


def test_a_cell_that_the_header_does_not_name_is_a_row_name_of_r() -> None:
    assert rows("07-r-row-names.csv")[0] == ("196", "242", 3.0)


def test_a_row_wider_than_the_header_is_a_reject_that_names_both_counts() -> None:
    good, (bad,) = rejects("08-unquoted-comma.csv")
    assert good == [("u2", "78", 5.0)]
    assert "7 fields" in bad.reason
    assert "header names 6" in bad.reason


def test_a_side_file_of_r_has_row_names_too() -> None:
    name = "10-r-items.csv"
    assert "Foo" in titles_of(read_sheet(name, data_of(name), "item")).values()


def test_spark_writes_a_backslash_before_a_mark() -> None:
    assert rows("11-spark-escape.csv")[0] == ("u1", "i1", 1.0)
    assert times("11-spark-escape.csv")[0] == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)


def test_a_comment_before_the_header_does_not_hide_it() -> None:
    assert rows("13-preamble.csv")[0] == ("ann", "10", 4.0)


def test_excel_says_its_separator_in_a_line_of_its_own() -> None:
    assert rows("14-sep-line.csv")[0] == ("ann", "10", 4.0)


@pytest.mark.parametrize(
    "name", ["15-bigquery-utc.csv", "17-mongo-date.jsonl", "18-date-and-time.csv"]
)
def test_the_latest_time_wins_however_it_is_written(name: str) -> None:
    assert standing(name)["u1", "i1"] == 1.0


@pytest.mark.parametrize("names", [("20a-old-milliseconds.csv", "20b-new-seconds.csv")])
def test_milliseconds_and_seconds_are_one_clock(names: tuple[str, str]) -> None:
    assert standing(*names)["u1", "i1"] == 1.0
    assert standing(*reversed(names))["u1", "i1"] == 1.0


def test_a_newer_object_without_times_replaces_an_older_one_with_them() -> None:
    assert standing("21a-old.csv", "21b-new-without-time.csv")["u1", "i1"] == 1.0
    assert standing("21b-new-without-time.csv", "21a-old.csv")["u1", "i1"] == 5.0


def test_a_folder_of_spark_is_its_parts_without_its_marker() -> None:
    assert by_product_of("ratings/shop/22-spark-folder/_SUCCESS") is not None
    assert by_product_of("ratings/shop/22-spark-folder/part-00000.csv") is None
    assert rows("22-part-00000.csv")


@pytest.mark.parametrize("name", ["23a-header-only-part.csv", "23b-zero-row-part.parquet"])
def test_a_part_without_rows_says_so(name: str) -> None:
    assert refusal(name).has_no_rows


def test_a_cell_of_150_lines_is_one_cell() -> None:
    assert len(rows("24-review-of-150-lines.csv")) == 501


def test_a_line_within_a_cell_is_no_row_although_it_looks_like_one() -> None:
    assert rows("25-line-like-a-row.csv") == [("u1", "i1", 1.0), ("u2", "i2", 3.0)]


def test_byte_order_marks_within_joined_files_are_nobodys_name() -> None:
    assert {row[0] for row in rows("28-bom-inside-headerless.csv")} == {"u1"}


def test_titles_of_windows_keep_their_marks() -> None:
    name = "30-cp1252-items.csv"
    titles = titles_of(read_sheet(name, data_of(name), "item"))
    assert titles == {"1": "Schindler’s List", "2": "“Heat” – cut"}  # noqa: RUF001


def test_a_matrix_is_refused_as_one() -> None:
    assert "matrix" in str(refusal("34-jester-matrix.csv"))


def test_the_settings_say_which_rating_is_none() -> None:
    form = RatingForm(writing=Writing(missing=("0",)))
    assert rows("38-not-rated-zero.csv", form) == [("1", "b", 8.0)]
