"""Side files, ``items.*`` and ``users.*``: read once, for their titles and for features."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from recommender.errors import MalformedItemsError
from recommender.formats.delimited import (
    DELIMITERS,
    Spellings,
    find_columns,
    first_cells_count,
    has_one_more,
    places_of,
    surplus_of,
)
from recommender.formats.json_rows import id_of, json_object
from recommender.formats.lines import decoded
from recommender.formats.openings import Numbered, header_at, said_separator
from recommender.formats.quoting import Record, cells_of, detect_quoting, records
from recommender.formats.uploads import text_of
from recommender.ratings.identifiers import canonical_id, id_problem
from recommender.ratings.table import COLUMN_NAMES as RATING_COLUMNS

ALWAYS_ALLOWED_REJECTS = 10
REJECT_LIMIT = 0.1
"""A file is refused when more of its rows, and more than the ten that always may, are unusable."""
MOST_BYTES = 256 << 20
MOST_LINES = 5_000_000
MOST_CELLS = 50_000_000
"""Of all rows in all columns: a side file is in memory, whole."""
_SAMPLE_ROWS = 100

COLUMN_NAMES: Spellings = {
    "item": (*RATING_COLUMNS["item"], "id"),
    "user": (*RATING_COLUMNS["user"], "id"),
    "title": (
        *("title", "name", "itemtitle", "itemname", "movietitle", "producttitle", "productname"),
        *("booktitle", "trackname", "songtitle", "artistname", "label"),
    ),
}
GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
FLAGGED = ("id", "title", "release_date", "video_release_date", "imdb_url", *GENRES)
"""The columns of MovieLens' ``u.item``; the last ones are flags."""

# Formats that are known to come without a header: MovieLens' movies.dat (whose last
# column holds '|' too, so it comes first) and u.item. The id stands first, the title next.
_HEADERLESS_DELIMITERS = ("::", "|")
_HEADERLESS: dict[tuple[str, int], Sequence[str]] = {
    ("|", len(FLAGGED)): FLAGGED,
    ("|", 5): ("id", "age", "gender", "occupation", "zip"),
    ("::", 3): ("id", "title", "genres"),
    ("::", 5): ("id", "gender", "age", "occupation", "zip"),
}


class Row(NamedTuple):
    """One row of a side file: ``id`` and ``title`` are as written, ``title`` perhaps empty.

    ``problem`` says why the row has no usable id, as the end of a sentence; empty if it has one.
    """

    line: int
    id: str
    title: str
    cells: Sequence[str]
    problem: str = ""


@dataclass(frozen=True)
class Sheet:
    """A side file, read.

    Attributes:
        key: the file's key.
        noun: "item" or "user": what its ids are ids of.
        names: its columns, the id's included; none if only id and title are known.
        id_at: which of them is the id's; -1 if no name says so.
        width: of how many cells a row is, where a format says so.
        has_titles: whether a column is known to hold titles.
        may_choose: whether another column may hold the ids: the file names its columns itself.
        rows: its rows, blank lines left out.
    """

    key: str
    noun: str
    names: tuple[str, ...]
    id_at: int
    width: int
    has_titles: bool
    rows: Sequence[Row]
    may_choose: bool = False


def read_sheet(key: str, data: bytes, noun: str) -> Sheet:
    """Read a side file: MovieLens' own, any delimited text with a header, or JSON Lines.

    Args:
        key: the file's key, for messages.
        data: the file's bytes, perhaps gzipped; UTF-8, or Windows-1252 in lines that are not
            (MovieLens' are Latin-1, of which that is an extension in all that texts hold).
        noun: "item" or "user": what its ids are ids of.

    Raises:
        MalformedItemsError: this is not such a file.
    """
    text = text_of(data, partial(MalformedItemsError, key), MOST_BYTES)
    if text.count(b"\n") > MOST_LINES:
        raise MalformedItemsError(key, MOST_LINES, f"more than {MOST_LINES:,} lines are too many")
    lines = [decoded(line).rstrip("\r") for line in text.split(b"\n")]
    filled: Numbered = [
        (number, line) for number, line in enumerate(lines, 1) if line and not line.isspace()
    ]
    if not filled:
        raise MalformedItemsError(key, 1, "the file holds blank lines only")
    if filled[0][1].lstrip().startswith("{"):
        return _json(key, filled, noun)
    filled = _past_opening(filled, noun)
    first = filled[0][0]
    header = _header(filled, noun)
    if header is not None:
        return _with_header(key, lines, first, header, noun)
    for delimiter in _HEADERLESS_DELIMITERS:
        if _splits_most(delimiter, filled):
            return _without_header(key, filled, delimiter, noun)
    header = _header_of_others(filled)
    if header is not None:
        return _with_header(key, lines, first, header, noun)
    wanted = "item and title" if noun == "item" else f"{noun} id"
    raise MalformedItemsError(
        key,
        first,
        f"this is not a table of {noun}s: its first line names no {wanted}, and no '|' or '::' "
        "splits it into columns that are known",
    )


def _past_opening(filled: Numbered, noun: str) -> Numbered:
    """Pass over what stands before the header: Excel's ``sep=``, comments, titles.

    Lines of as many cells as the header are rows, perhaps of something that is called "Game".
    """
    said = said_separator(filled[0][1])
    if said and len(filled) > 1:
        filled = filled[1:]
    separators = (said,) if said else DELIMITERS
    header = header_at(
        filled,
        separators,
        lambda names: len(names) > 1 and noun in find_columns(names, COLUMN_NAMES),
    )
    if header is None:
        return filled
    place, separator = header
    width = len(cells_of(filled[place][1], separator))
    before = (line for _, line in filled[:place] if not line.startswith("#"))
    if any(len(cells_of(line, separator)) == width for line in before):
        return filled
    return filled[place:]


def _splits_most(delimiter: str, filled: Sequence[tuple[int, str]]) -> bool:
    """Judge by most lines, not the first alone: damage may have made that one unreadable."""
    return 2 * sum(delimiter in line for _, line in filled) > len(filled)


def _header(filled: Sequence[tuple[int, str]], noun: str) -> str | None:
    """Find the delimiter that makes names of the first line: one of an id, at best of a title."""
    named = []
    for delimiter in DELIMITERS:
        names = cells_of(filled[0][1], delimiter)
        found = find_columns(names, COLUMN_NAMES)
        if noun in found and len(names) > 1:
            titled = noun == "item" and "title" in found
            named.append((titled, _splits_most(delimiter, filled), delimiter))
    if not named:
        return None
    return max(named, key=lambda one: one[:2])[2]


def _header_of_others(filled: Numbered) -> str | None:
    """Find the delimiter under which the first line may be a header although none is an id.

    It has names in all cells, distinct ones and no number, as many as most lines have cells.
    """
    for delimiter in DELIMITERS:
        names = [name.strip() for name in cells_of(filled[0][1], delimiter)]
        sample = filled[1 : 1 + _SAMPLE_ROWS]
        alike = sum(len(cells_of(line, delimiter)) == len(names) for _, line in sample)
        if (
            len(names) > 1
            and len(set(names)) == len(names)
            and all(name and not name[0].isdigit() for name in names)
            and 2 * alike > len(sample)
        ):
            return delimiter
    return None


def _with_header(key: str, lines: Sequence[str], first: int, delimiter: str, noun: str) -> Sheet:
    """Read what follows the header in line ``first``."""
    names = tuple(name.strip() for name in cells_of(lines[first - 1], delimiter))
    found = find_columns(names, COLUMN_NAMES)
    title_at = found.get("title")
    usual = 1 if delimiter in _HEADERLESS_DELIMITERS else None
    quoting = detect_quoting(lines[first - 1 : first + _SAMPLE_ROWS], delimiter)
    body = list(records(lines[first:], delimiter, first + 1, quoting))
    while names and not names[-1]:
        names = names[:-1]
    # Titles with commas in them make rows too long as well; but those have no second id.
    cells = [one.cells for one in body[:_SAMPLE_ROWS] if one.cells is not None]
    id_at = found.get(noun, -1)
    shift = int(
        has_one_more(names, cells)
        and first_cells_count(cells)
        and all(len(row[id_at + 1].split()) == 1 for row in cells)
    )
    if shift:
        body = [one._replace(cells=one.cells and one.cells[1:]) for one in body]
    _refuse_too_wide(key, first, len(names), len(body))
    rows = [_row(one, id_at, usual if title_at is None else title_at, len(names)) for one in body]
    return Sheet(key, noun, names, id_at, 0, title_at is not None, rows, may_choose=True)


def _refuse_too_wide(key: str, line: int, columns: int, rows: int) -> None:
    if columns * rows > MOST_CELLS:
        raise MalformedItemsError(
            key,
            line,
            f"{rows:,} rows have {columns:,} columns between them; at most {MOST_CELLS:,} cells "
            "are allowed",
        )


def _without_header(
    key: str, filled: Sequence[tuple[int, str]], delimiter: str, noun: str
) -> Sheet:
    # These formats do not quote: a quotation mark belongs to the title.
    rows = [_row(Record(number, line, line.split(delimiter)), 0, 1) for number, line in filled]
    width = len(rows[0].cells)
    names = tuple(_HEADERLESS.get((delimiter, width), ()))
    return Sheet(key, noun, names, 0, width if names else 0, "title" in names, rows)


def _row(record: Record, id_at: int, title_at: int | None, most: int = 0) -> Row:
    cells = record.cells
    if cells is None:
        return Row(record.line, "", "", (), "has quotation marks that do not pair up")
    surplus = surplus_of(cells, most, header=True) if most else ""
    if surplus:
        return Row(record.line, "", "", cells, surplus)
    if len(cells) <= id_at:
        return Row(record.line, "", "", cells, "has too few fields")
    title = cells[title_at] if title_at is not None and title_at < len(cells) else ""
    return Row(record.line, cells[id_at] if id_at >= 0 else "", title, cells)


def _json(key: str, filled: Sequence[tuple[int, str]], noun: str) -> Sheet:
    """Read JSON Lines; names may differ from row to row."""
    names: dict[str, None] = {noun: None}
    read = list(_json_rows(filled, noun))
    for _, texts, _, _ in read:
        names.update(dict.fromkeys(texts))
    _refuse_too_wide(key, filled[0][0], len(names), len(read))
    rows = [
        Row(line, texts.get(noun, ""), title, [texts.get(name, "") for name in names], problem)
        for line, texts, title, problem in read
    ]
    titled = "title" in find_columns(tuple(names), COLUMN_NAMES)
    return Sheet(key, noun, tuple(names), 0, 0, titled, rows, may_choose=True)


def _json_rows(
    filled: Sequence[tuple[int, str]], noun: str
) -> Iterator[tuple[int, dict[str, str], str, str]]:
    """Read each line as cells by name, a title and a problem."""
    for number, line in filled:
        try:
            row = json_object(line)
            given = tuple(row)
            found = find_columns(given, COLUMN_NAMES)
            if noun not in found:
                raise ValueError(f"has no {noun}")
            own = given[found[noun]]
            one = id_of(row[own], noun)
        except ValueError as problem:
            yield number, {}, "", str(problem)
            continue
        texts = {name: _text(value) for name, value in row.items() if name != own}
        texts[noun] = one
        title = row[given[found["title"]]] if "title" in found else None
        yield number, texts, title if isinstance(title, str) else "", ""


def _text(value: object) -> str:
    if isinstance(value, list):
        return "|".join(_text(one) for one in value)
    return "" if value is None else str(value)


def id_columns(names: Sequence[str], noun: str) -> list[int]:
    """Which columns are called an id of the noun, the most telling name first."""
    places = places_of(names)
    return [places[name] for name in COLUMN_NAMES[noun] if name in places]


def usable_id(row: Row, noun: str) -> str:
    """Read a row's id.

    Raises:
        ValueError: it has none that can be used; the message ends a sentence about the row.
    """
    if row.problem:
        raise ValueError(row.problem)
    one = canonical_id(row.id)
    problem = id_problem(one)
    if problem:
        raise ValueError(f"{noun} id {problem}")
    return one
