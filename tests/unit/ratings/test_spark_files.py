"""Files that Spark wrote (``make spark-files``): read to the rows that pyarrow reads in them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recommender.errors import MalformedRatingsError

from testbed.ratings.datasets import parse_ratings
from testbed.ratings.tables import meaning_of

FILES = sorted((Path(__file__).parent / "fixtures" / "spark").glob("*.parquet"))
ROLES = {
    "user": "user",
    "item": "item",
    "rating": "rating",
    **dict.fromkeys(("timestamp", "date", "ts"), "timestamp"),
}


def as_pyarrow_reads(path: Path) -> pa.Table:
    if path.stem == "lz4":  # Hadoop's frames, which pyarrow reads and cannot name
        assert pq.read_metadata(path).row_group(0).column(0).compression == "UNKNOWN"
    # Nanoseconds, as pyarrow would otherwise read times of 96 bits, end in 2262.
    return pq.read_table(path, coerce_int96_timestamp_unit="us")


def test_there_are_such_files() -> None:
    assert len(FILES) > 25


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_spark_is_read_as_pyarrow_reads_it(path: Path) -> None:
    table = as_pyarrow_reads(path)
    names = {ROLES[name]: name for name in table.column_names if name in ROLES}
    rows, rejected = meaning_of(table, names)
    if not rows:
        with pytest.raises(MalformedRatingsError, match="no rows"):
            parse_ratings(path.name, path.read_bytes(), 1.0)
        return
    found, rejects = parse_ratings(path.name, path.read_bytes(), 1.0)
    columns = (found.lines, found.users, found.items, found.values, found.timestamps)
    assert list(zip(*map(list, columns), strict=True)) == rows
    assert [reject.line for reject in rejects] == rejected


def test_decimals_dates_and_far_times_mean_what_spark_wrote() -> None:
    """The oracle itself, against what `testbed.ratings.spark` says it writes."""

    def first(name: str, n: int) -> tuple[str, str, float, int]:
        (path,) = (path for path in FILES if path.stem == name)
        found, _ = parse_ratings(name, path.read_bytes(), 1.0)
        return found.users[n], found.items[n], float(found.values[n]), int(found.timestamps[n])

    assert first("decimal-2-1", 9) == ("u2", "5", 4.5, -1)
    assert first("decimal-30-10-legacy", 9) == ("u2", "5", 4.5, -1)
    assert first("decimal-ids", 3) == (str(2**70 + 3), "4", 2.0, -1)
    assert first("dates", 12) == ("u5", "3", 1.5, 0)
    assert first("as-spark-does-by-default", 1) == ("u1", "2", 1.0, 1_700_000_001)
    assert first("far-times-96-bits", 2) == ("u2", "3", 1.5, 9_223_372_036)
