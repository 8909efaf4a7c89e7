"""What is told of how a file was read: the same as what was read."""

import gzip
from pathlib import Path

import pytest
from recommender.catalog import inspection
from recommender.catalog.config import CatalogConfig
from recommender.ratings.account import sentences

from testbed.ratings.datasets import parse_ratings

DATA = (
    "# exported\n"
    "item;who;rating;when\n"
    + "".join(f"i{n};u{n % 7};{n % 5 + 1};2024-01-{n % 28 + 1:02}\n" for n in range(5000))
    + "i1;;3;2024-01-01\n"
    "i2;u1;good;2024-01-01\n"
    "i3;u1;3;someday\n"
    "caf\xe9;u1;3;\n"
).encode("cp1252")
CONFIG = b'{"columns": {"user": "who", "timestamp": "when"}}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    path.write_bytes(DATA)
    return path


def settings(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_bytes(CONFIG)
    return path


def test_a_file_is_told_as_it_is(file: Path, tmp_path: Path) -> None:
    config = inspection.parse_config("config.json", settings(tmp_path).read_bytes())
    account, log, _ = inspection.inspect_ratings(file, config)
    assert account.to_dict() == {
        "key": "ratings.csv",
        "format": "delimited text",
        "encoding": "UTF-8",
        "separator": "semicolon",
        "quoting": '" (doubled within a cell)',
        "headerLine": 2,
        "columns": {
            "user": "column 2, 'who'",
            "item": "column 1, 'item'",
            "rating": "column 3, 'rating'",
            "timestamp": "column 4, 'when'",
        },
        "rows": 5002,
        "rejected": {"user id is empty": 1, "rating … is not a number": 1},
        "windows1252Lines": 1,
        "times": {"read": {"ISO 8601": 5000}, "unread": {"a": 1}, "missing": 1},
        "first": [
            {
                "line": 3 + n,
                "user": f"u{n}",
                "item": f"i{n}",
                "value": n + 1.0,
                "time": f"2024-01-0{n + 1}T00:00:00+00:00",
            }
            for n in range(3)
        ],
    }
    assert log.count == 2


def test_the_first_rows_told_are_the_first_rows_read(file: Path) -> None:
    config = inspection.parse_config("config.json", CONFIG)
    found, _ = parse_ratings("a", DATA, 0.1, config.rating_form())
    account, *_ = inspection.inspect_ratings(file, config)
    assert [(row.line, row.user, row.item, row.value) for row in account.first] == [
        (int(found.lines[n]), found.users[n], found.items[n], float(found.values[n]))
        for n in range(3)
    ]


def test_a_packed_file_is_told_alike(file: Path, tmp_path: Path) -> None:
    packed = tmp_path / "ratings.csv.gz"
    packed.write_bytes(gzip.compress(DATA))
    config = inspection.parse_config("config.json", CONFIG)
    told, others = (
        inspection.inspect_ratings(path, config)[0].to_dict() for path in (file, packed)
    )
    assert {**told, "key": "", "packing": "a gzip file"} == {**others, "key": ""}


def test_folders_count_as_columns(tmp_path: Path) -> None:
    folder = tmp_path / "dt=2024-01-31"
    folder.mkdir()
    path = folder / "part.csv"
    path.write_text("user,item,rating\nu,i,4\n")
    account, *_ = inspection.inspect_ratings(path, CatalogConfig())
    assert account.first[0].time == "2024-01-31T00:00:00+00:00"
    assert account.columns["timestamp"] == "the folder's name, '2024-01-31'"


def test_every_figure_is_in_the_sentences() -> None:
    told = {
        "rows": 12345,
        "notRated": 17,
        "weightless": 19,
        "rejected": {"has no rating": 23},
        "times": {"read": {"ISO 8601": 29}, "unread": {"99/99/9999": 31}, "missing": 37},
        "first": [],
    }
    text = "\n".join(sentences(told))
    assert all(figure in text for figure in ("12,345", "17", "19", "23", "29", "31", "37"))


def test_the_command_prints_it(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspection.main([str(file), "--config", str(settings(tmp_path))]) == 0
    out = capsys.readouterr().out
    assert "header in line 2" in out
    assert "rejected line 5003: user id is empty" in out
    assert "line 3: user u0, item i0, 1.0, 2024-01-01T00:00:00+00:00" in out


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"movieId,title\n1,One\n2,Two\n", ["2 items", "id: 'movieId'", "item 1, title 'One'"]),
        (b"isbn,book_id,title\nx,1,One\n", ["(of 'isbn', 'book_id')", "ratings' ids"]),
        (b"1::One::Comedy\n2::Two::Drama\n", ["'genres'", "item 2, title 'Two'"]),
        (b"movieId,title\n1,One\n2,a,b\n", ["rejected: 1 row; line 3 has 3 fields"]),
    ],
)
def test_a_side_file_is_told_too(
    data: bytes, lines: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(data)
    assert inspection.main([str(path)]) == 0
    out = capsys.readouterr().out
    assert all(line in out for line in lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"%PDF-1.4", "PDF"), (b"", "empty"), (b"user,item,rating\n", "no rows"), (None, "No such")],
)
def test_the_command_says_why_a_file_would_be_refused(
    content: bytes | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ratings.csv"
    if content is not None:
        path.write_bytes(content)
    assert inspection.main([str(path)]) == 1
    assert words in capsys.readouterr().err


def test_the_command_says_what_is_wrong_with_the_settings(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"seperator": ";"}')
    assert inspection.main([str(file), "--config", str(config)]) == 1
    assert "seperator" in capsys.readouterr().err
