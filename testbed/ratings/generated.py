"""Files of ratings as programs write them, drawn from a seed; and what pandas, told how, reads."""

import csv
import io
import json
import random
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from testbed.ratings.parquet_writers import WRITERS
from testbed.ratings.tables import number_of, spelled

ROLES = ("user", "item", "rating", "timestamp")
NAMES = {
    "user": ("user", "userId", "user_id", "User-ID", "customer_id", "reviewerID"),
    "item": ("item", "movieId", "item_id", "ISBN", "product_id", "track"),
    "rating": ("rating", "Book-Rating", "stars", "score", "overall"),
    "timestamp": ("timestamp", "ts", "date", "rated_at", "unixReviewTime", "Datetime"),
}
IDS: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: str(rng.randrange(1, 40)),
    lambda rng: str(rng.randrange(10**11, 10**11 + 30)),
    lambda rng: f"{rng.randrange(30):06}",
    lambda rng: f"u{rng.randrange(30)}",
    lambda rng: rng.choice(("Zoë", "Ann Lee", "O'Hara", "müller", "J. R.", "naïve")),
    lambda rng: rng.choice(("a,b", "x;y", 'say "hi"', "tab\there", "p|q", "c::d", "plain")),
    lambda rng: f"{rng.randrange(30)}.0",
    lambda rng: f"00000000-0000-4000-8000-{rng.randrange(30):012}",
)
SPELLINGS: dict[str, Callable[[datetime], str]] = {
    "seconds": lambda t: str(int(t.timestamp())),
    "milliseconds": lambda t: str(int(t.timestamp()) * 1000 + t.microsecond // 1000),
    "microseconds": lambda t: str(int(t.timestamp()) * 10**6 + t.microsecond),
    "nanoseconds": lambda t: str((int(t.timestamp()) * 10**6 + t.microsecond) * 1000),
    "fractions": lambda t: f"{int(t.timestamp())}.{t.microsecond:06}",
    "iso": lambda t: t.isoformat(),
    "iso without zone": lambda t: t.replace(tzinfo=None).isoformat(" "),
    "iso with a zone": lambda t: t.astimezone(_ZONE).isoformat(),
    "Z": lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "BigQuery": lambda t: t.strftime("%Y-%m-%d %H:%M:%S UTC"),
    "day": lambda t: t.strftime("%Y-%m-%d"),
    "slashes": lambda t: t.strftime("%Y/%m/%d %H:%M"),
    "German": lambda t: t.strftime("%d.%m.%Y %H:%M:%S"),
    "American": lambda t: t.strftime("%m/%d/%Y %I:%M:%S %p"),
    "British": lambda t: t.strftime("%d/%m/%Y %H:%M"),
    "mail": lambda t: t.strftime("%a, %d %b %Y %H:%M:%S +0000"),
    "words": lambda t: t.strftime("%B %d, %Y"),
    "digits": lambda t: t.strftime("%Y%m%d"),
    "digits with time": lambda t: t.strftime("%Y%m%d%H%M%S"),
}
_ZONE = datetime.fromisoformat("2024-01-01T00:00+05:30").tzinfo
_COARSE = {"day": 86_400, "words": 86_400, "digits": 86_400, "slashes": 60, "British": 60}
_NO_IDS = ("", "NULL", "\\N", "nan")
_NO_RATINGS = ("", "good", "NaN", "1e60")

Row = tuple[str, str, float, int]
"""User, item, rating, whole seconds; -1 for none."""


@dataclass(frozen=True)
class Generated:
    """A file, and the table of texts that is read from it.

    Attributes:
        name: what it is, for messages.
        data: its bytes.
        cells: as pandas or pyarrow reads it, told how it is written: role -> cells, in order.
        times: what the cells of its times mean: cell -> whole seconds.
    """

    name: str
    data: bytes
    cells: dict[str, list[Any]]
    times: dict[str, int]

    def meaning(self) -> tuple[list[Row], int]:
        """The rows that can be used, and how many cannot."""
        rows: list[Row] = []
        users, items, ratings = (self.cells[role] for role in ROLES[:3])
        times = self.cells.get("timestamp", [None] * len(users))
        for user, item, rating, time in zip(users, items, ratings, times, strict=True):
            names, number = (spelled(user), spelled(item)), number_of(rating)
            if names[0] and names[1] and number is not None:
                rows.append((names[0], names[1], number, self.times.get(str(time).strip(), -1)))
        return rows, len(users) - len(rows)


def generated(seed: int) -> Generated:
    """Draw a file."""
    rng = random.Random(seed)
    records, names, times = _records(rng)
    kind = rng.choice(
        ("csv", "bare", "pandas", "pandas", "spark", "r", "duckdb", "polars", "json", "excel")
    )
    if kind == "json" and rng.random() < 0.5:
        kind = "parquet"
    write = {
        "csv": _by_csv,
        "bare": _bare,
        "pandas": _by_pandas,
        "spark": _by_spark,
        "r": _by_r,
        "duckdb": _by_duckdb,
        "polars": _by_polars,
        "json": _by_json,
        "excel": _by_excel,
        "parquet": _by_parquet,
    }[kind]
    frame = pd.DataFrame(records, dtype=object)
    if kind == "bare":
        frame = frame[list(names.values())]
    told, data, read = write(rng, frame)
    roles = {name: role for role, name in names.items()}
    cells = {roles[name]: read[name] for name in names.values()}
    return Generated(f"{seed}: {kind} {told}", data, cells, times)


def _records(
    rng: random.Random,
) -> tuple[list[dict[str, str]], dict[str, str], dict[str, int]]:
    """Draw rows as texts, the name of each role, and what the times mean."""
    names = {role: rng.choice(NAMES[role]) for role in ROLES}
    user, item = rng.choice(IDS), rng.choice(IDS)
    spelling = rng.choice(list(SPELLINGS))
    scale = rng.choice(((1, 2, 3, 4, 5), (0.5, 1.0, 2.5, 4.5), (-1, 0, 1), (10, 55.25, 99)))
    columns = list(names.values())
    columns += rng.sample(("review", "age", "source"), rng.randrange(3))
    rng.shuffle(columns)
    times: dict[str, int] = {}
    records = []
    for _ in range(rng.randrange(12, 60)):
        when = datetime(2001, 1, 1, tzinfo=UTC) + timedelta(
            days=rng.randrange(9000), seconds=rng.randrange(86_400), milliseconds=rng.randrange(999)
        )
        cells = {
            names["user"]: user(rng),
            names["item"]: item(rng),
            names["rating"]: str(rng.choice(scale)),
            names["timestamp"]: SPELLINGS[spelling](when),
            "review": rng.choice(("fine", "so-so, 3 of 5", 'he said "no"', "a;b\tc|d", "", "ü")),
            "age": str(rng.randrange(18, 80)),
            "source": rng.choice(("web", "app")),
        }
        second = int(when.timestamp())
        times[cells[names["timestamp"]]] = second - second % _COARSE.get(spelling, 1)
        if rng.random() < 0.03:
            cells[names[rng.choice(("user", "item"))]] = rng.choice(_NO_IDS)
        elif rng.random() < 0.03:
            cells[names["rating"]] = rng.choice(_NO_RATINGS)
        elif rng.random() < 0.05:
            cells[names["timestamp"]] = ""
        records.append({name: cells[name] for name in columns})
    return records, names, times


def _texts(frame: pd.DataFrame) -> dict[str, list[str]]:
    return {str(name): frame[name].tolist() for name in frame.columns}


def _read_csv(data: bytes, **options: Any) -> dict[str, list[str]]:
    """What pandas reads, told how the file is written."""
    frame = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, **options)
    return _texts(frame)


Written = tuple[str, bytes, dict[str, list[Any]]]


def _by_csv(rng: random.Random, frame: pd.DataFrame) -> Written:
    """Python's csv module: any separator, any quoting, any end of line."""
    sep = rng.choice((",", ";", "\t", "|"))
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC))
    end = rng.choice(("\n", "\r\n", "\r"))
    if end == "\r":
        quoting = csv.QUOTE_ALL
    encoding = rng.choice(("utf-8", "utf-8-sig", "utf-16", "cp1252"))
    before = rng.choice(([], [], [f"sep={sep}"], ["# of the shop", "#"], ["Ratings, all", ""]))
    before = [] if end == "\r" else before
    comma = sep != "," and rng.random() < 0.3
    ratings = [name for name in frame.columns if name in NAMES["rating"]]
    written = frame.copy()
    if comma:
        written[ratings] = frame[ratings].map(_with_comma)
    out = io.StringIO(newline="")
    out.write("".join(line + end for line in before))
    writer = csv.writer(out, delimiter=sep, quoting=quoting, lineterminator=end)
    writer.writerow(frame.columns)
    writer.writerows(written.itertuples(index=False))
    out.write(end * rng.randrange(3))
    data = out.getvalue().encode(encoding)
    read = _read_csv(data, sep=sep, encoding=encoding, skiprows=len(before))
    if comma:
        read |= {name: [_with_point(cell) for cell in read[name]] for name in ratings}
    return f"{sep!r} {quoting} {end!r} {encoding} {before} {comma}", data, read


def _with_comma(cell: str) -> str:
    return re.sub(r"^(-?\d{1,3})\.(\d{1,2})$", r"\1,\2", cell)


def _with_point(cell: str) -> str:
    return re.sub(r"^(-?\d{1,3}),(\d{1,2})$", r"\1.\2", cell)


def _bare(rng: random.Random, frame: pd.DataFrame) -> Written:
    """No header: user, item, rating, time, as MovieLens writes them; perhaps with marks."""
    sep = rng.choice(("::", "\t", ",", ";", "|"))
    if sep == "::":
        frame = frame.map(lambda text: text.replace("::", ":").replace('"', ""))
        data = "".join("::".join(row) + "\n" for row in frame.itertuples(index=False)).encode()
        return repr(sep), data, _texts(frame)
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=sep, lineterminator="\n").writerows(frame.itertuples(index=False))
    data = out.getvalue().encode()
    return repr(sep), data, _read_csv(data, sep=sep, names=list(frame.columns))


def _by_pandas(rng: random.Random, frame: pd.DataFrame) -> Written:
    """pandas: an index or none, packed or not, a cell of several lines."""
    sep = rng.choice((",", ";", "\t"))
    index = rng.random() < 0.3
    how = rng.choice((None, "gzip", "bz2", "xz", "zip"))
    frame = frame.copy()
    if "review" in frame.columns:
        lines = ["line\nof text, 5\n", "a\r\nb", "x\n\ny"]
        frame["review"] = [rng.choice([*lines, cell]) for cell in frame["review"]]
    out = io.BytesIO()
    frame.to_csv(out, sep=sep, index=index, compression=how, lineterminator="\n")
    data = out.getvalue()
    return f"{sep!r} index={index} {how}", data, _read_csv(data, sep=sep, compression=how)


def _by_spark(rng: random.Random, frame: pd.DataFrame) -> Written:
    """As Spark does by default: a backslash before a mark, marks only where they are needed."""
    sep = rng.choice((",", ";", "\t"))

    def cell(text: str) -> str:
        if any(one in text for one in (sep, '"', "\n")):
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return text

    rows = [frame.columns, *frame.itertuples(index=False)]
    data = "".join(sep.join(map(cell, map(str, row))) + "\n" for row in rows).encode()
    read = _read_csv(data, sep=sep, escapechar="\\", doublequote=False)
    # pandas takes the backslash out of \N as well, where no mark is near; Spark does not.
    fixed = {name: ["\\N" if one == "N" else one for one in cells] for name, cells in read.items()}
    return repr(sep), data, fixed


def _by_r(rng: random.Random, frame: pd.DataFrame) -> Written:
    """R's write.table: texts in marks, row names that the header has no name for."""
    sep = rng.choice((",", ";", "\t"))
    numbers = [name for name in frame.columns if frame[name].map(_is_number).all()]

    def cell(name: str, text: str) -> str:
        return text if name in numbers else '"' + text.replace('"', '""') + '"'

    lines = [sep.join(f'"{name}"' for name in frame.columns)]
    for n, row in enumerate(frame.to_dict("records"), 1):
        lines.append(sep.join([f'"{n}"', *(cell(str(k), v) for k, v in row.items())]))
    data = ("\n".join(lines) + "\n").encode()
    return repr(sep), data, _read_csv(data, sep=sep, index_col=0)


def _by_duckdb(rng: random.Random, frame: pd.DataFrame) -> Written:
    """DuckDB's COPY."""
    sep = rng.choice((",", ";", "|"))
    with duckdb.connect() as connection:
        connection.register("ratings", pa.Table.from_pandas(frame, preserve_index=False))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "out.csv"
            connection.execute(f"COPY ratings TO '{path}' (HEADER, DELIMITER '{sep}')")
            data = path.read_bytes()
    return repr(sep), data, _read_csv(data, sep=sep)


def _by_excel(_: random.Random, frame: pd.DataFrame) -> Written:
    """A workbook, texts as texts."""
    out = io.BytesIO()
    frame.to_excel(out, index=False)
    data = out.getvalue()
    read = pd.read_excel(io.BytesIO(data), dtype=str, keep_default_na=False, na_filter=False)
    return "", data, _texts(read)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _by_polars(rng: random.Random, frame: pd.DataFrame) -> Written:
    """polars: marks where they are needed, or always."""
    sep = rng.choice((",", ";", "\t"))
    style = rng.choice(("necessary", "always", "non_numeric"))
    table = pl.from_arrow(pa.Table.from_pandas(frame, preserve_index=False))
    data = table.write_csv(separator=sep, quote_style=style).encode()  # type: ignore[union-attr]
    return f"{sep!r} {style}", data, _read_csv(data, sep=sep)


def _by_json(rng: random.Random, frame: pd.DataFrame) -> Written:
    """JSON Lines: numbers as numbers or as texts."""
    ascii_only, typed = rng.random() < 0.5, rng.random() < 0.7

    def value(text: str) -> object:
        if typed and _is_number(text) and text == text.strip() and json_number(text):
            return json.loads(text)
        return text

    rows: Sequence[dict[str, str]] = frame.to_dict("records")  # type: ignore[assignment]
    lines = [
        json.dumps({k: value(v) for k, v in row.items()}, ensure_ascii=ascii_only) for row in rows
    ]
    data = ("\n".join(lines) + "\n").encode()
    return f"ascii={ascii_only} typed={typed}", data, _texts(frame)


def json_number(text: str) -> bool:
    """Whether a text is a number in JSON, and stays the same text."""
    try:
        return str(json.loads(text)) == text
    except ValueError:
        return False


def _by_parquet(rng: random.Random, frame: pd.DataFrame) -> Written:
    """All writers of Parquet, texts as texts."""
    writer = rng.choice(list(WRITERS))
    write, ways = WRITERS[writer]
    options = rng.choice(ways)
    table = pa.Table.from_pandas(frame.astype(str), preserve_index=False)
    table = table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))
    data = write(table, options)
    read = pq.read_table(io.BytesIO(data)).to_pydict()
    return f"{writer} {options}", data, read
