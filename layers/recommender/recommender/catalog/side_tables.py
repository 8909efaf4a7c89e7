"""Side files, ``items.*`` and ``users.*``: a row of texts for each item or user."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from recommender.catalog.items import COLUMN_NAMES as ITEM_COLUMNS
from recommender.errors import MalformedItemsError
from recommender.formats.delimited import DELIMITERS, cells_of, find_columns, records
from recommender.formats.json_rows import id_of, json_object
from recommender.formats.uploads import text_of
from recommender.ratings.identifiers import id_problem
from recommender.ratings.table import COLUMN_NAMES as RATING_COLUMNS

MOST_REJECTS = 0.1
_ALWAYS_ALLOWED_REJECTS = 10
_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_FLAGGED = ("id", "title", "release_date", "video_release_date", "imdb_url", *_GENRES)

# MovieLens' files without a header, by separator and number of columns.
_HEADERLESS: Mapping[tuple[str, int], Sequence[str]] = {
    ("|", 24): _FLAGGED,
    ("|", 5): ("id", "age", "gender", "occupation", "zip"),
    ("::", 3): ("id", "title", "genres"),
    ("::", 5): ("id", "gender", "age", "occupation", "zip"),
}
_ID_NAMES = {
    "item": ITEM_COLUMNS["item"],
    "user": (*RATING_COLUMNS["user"], "id"),
}


@dataclass(frozen=True)
class SideTable:
    """What a side file says.

    Attributes:
        key: the file's key.
        columns: the names of its columns, without the id's.
        rows: id -> its cells, stripped, one a column. The last of several rows stays.
    """

    key: str
    columns: tuple[str, ...]
    rows: Mapping[str, Sequence[str]]


def parse_side(key: str, data: bytes, noun: str) -> SideTable:
    """Read a side file: MovieLens' own, any delimited text with a header, or JSON Lines.

    Args:
        key: the file's key, for messages.
        data: the file's bytes, perhaps gzipped; UTF-8, or Latin-1 where that fails.
        noun: "item" or "user": what its ids are ids of.

    Raises:
        MalformedItemsError: this is not such a file, or too many of its rows cannot be read.
    """
    text = text_of(data, partial(MalformedItemsError, key))
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError:
        lines = text.decode("latin-1").split("\n")
    lines = [line.rstrip("\r") for line in lines]
    first = next((n for n, line in enumerate(lines) if line and not line.isspace()), 0)
    if lines[first].lstrip().startswith("{"):
        return _checked(key, *_json_cells(lines, noun))
    for delimiter in DELIMITERS:
        names = [cell.strip() for cell in cells_of(lines[first], delimiter)]
        found = find_columns(names, {noun: _ID_NAMES[noun]})
        if noun in found and len(names) > 1:
            rows = (
                (row.line, row.cells) for row in records(lines[first + 1 :], delimiter, first + 2)
            )
            return _checked(key, names, found[noun], rows)
    for (delimiter, width), names_without in _HEADERLESS.items():
        if len(lines[first].split(delimiter)) == width:
            split = ((n, line.split(delimiter)) for n, line in enumerate(lines, 1) if line.strip())
            cells = ((n, row if len(row) >= width else None) for n, row in split)
            table = _checked(key, names_without, 0, cells)
            return _with_genres(table) if width == len(_FLAGGED) else table
    raise MalformedItemsError(
        key, first + 1, f"this is not a table of {noun}s: its first line names no {noun} id"
    )


def _json_cells(
    lines: Sequence[str], noun: str
) -> tuple[list[str], int, Iterator[tuple[int, list[str] | None]]]:
    rows: list[tuple[int, dict[str, str] | None]] = []
    names: dict[str, None] = {noun: None}
    for number, line in enumerate(lines, 1):
        if not line or line.isspace():
            continue
        try:
            row = json_object(line)
            own = list(row)[find_columns(list(row), {noun: _ID_NAMES[noun]})[noun]]
            texts = {name: _text(value) for name, value in row.items() if name != own}
            texts[noun] = id_of(row[own], noun)
        except (ValueError, KeyError):
            rows.append((number, None))
            continue
        names.update(dict.fromkeys(texts))
        rows.append((number, texts))
    cells = (
        (number, None if texts is None else [texts.get(name, "") for name in names])
        for number, texts in rows
    )
    return list(names), 0, cells


def _text(value: object) -> str:
    if isinstance(value, list):
        return "|".join(_text(one) for one in value)
    return "" if value is None else str(value)


def _checked(
    key: str, names: Sequence[str], id_at: int, rows: Iterator[tuple[int, list[str] | None]]
) -> SideTable:
    found: dict[str, Sequence[str]] = {}
    others = [at for at, name in enumerate(names) if at != id_at and name]
    total = bad = first_bad = 0
    for line, cells in rows:
        total += 1
        if cells is None or len(cells) <= id_at or id_problem(cells[id_at].strip()):
            bad += 1
            first_bad = first_bad or line
            continue
        row = [cells[at].strip() if at < len(cells) else "" for at in others]
        found[cells[id_at].strip()] = row
    if bad > max(_ALWAYS_ALLOWED_REJECTS, MOST_REJECTS * total) or not found:
        raise MalformedItemsError(
            key, first_bad or 1, f"{bad:,} of {total:,} rows have no usable id or cannot be split"
        )
    return SideTable(key, tuple(names[at] for at in others), found)


def _with_genres(table: SideTable) -> SideTable:
    """Join the flags of MovieLens' ``u.item`` into one column of several values."""
    plain = len(_FLAGGED) - len(_GENRES) - 1
    rows = {
        one: [
            *cells[:plain],
            "|".join(
                genre for genre, flag in zip(_GENRES, cells[plain:], strict=True) if flag == "1"
            ),
        ]
        for one, cells in table.rows.items()
    }
    return SideTable(table.key, (*_FLAGGED[1 : plain + 1], "genres"), rows)
