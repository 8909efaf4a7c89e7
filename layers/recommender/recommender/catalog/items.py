"""Item files: the title of each item, for answers that people read."""

from collections.abc import Iterable, Sequence
from functools import partial

from recommender.errors import MalformedItemsError
from recommender.formats.delimited import (
    DELIMITERS,
    Record,
    Spellings,
    cells_of,
    find_columns,
    records,
)
from recommender.formats.json_rows import id_of, json_object
from recommender.formats.uploads import Refuse, text_of
from recommender.ratings.identifiers import id_problem

MAX_TITLE_LENGTH = 1000

_ALWAYS_ALLOWED_REJECTS = 10
_REJECT_LIMIT = 0.1
COLUMN_NAMES: Spellings = {
    "item": (
        *("itemid", "item", "movieid", "movie", "productid", "product", "parentasin", "asin"),
        *("isbn", "bookid", "book", "trackid", "track", "songid", "song", "artistid", "artist"),
        *("articleid", "article", "businessid", "business", "iid", "animeid", "anime"),
        *("recipeid", "recipe", "gameid", "game", "appid", "videoid", "video", "showid", "show"),
        *("courseid", "course", "placeid", "place", "restaurantid", "restaurant", "sku", "id"),
    ),
    "title": (
        *("title", "name", "itemtitle", "itemname", "movietitle", "producttitle", "productname"),
        *("booktitle", "trackname", "songtitle", "artistname", "label"),
    ),
}
_ROLES = ("item", "title")

# Formats that are known to come without a header: MovieLens' movies.dat (whose last
# column holds '|' too, so it comes first) and u.item.
_HEADERLESS_DELIMITERS = ("::", "|")


def parse_items(key: str, data: bytes) -> dict[str, str]:
    """Read the titles of items.

    Args:
        key: the file's key, for messages.
        data: the file's bytes, perhaps gzipped: MovieLens' ``u.item`` and ``movies.dat``; any
            delimited text whose header names an item and a title; or JSON Lines. UTF-8, or
            Latin-1 (as MovieLens' are) where that fails.

    Returns:
        Item id -> title, with single spaces. The last of several titles stays; a row without one
        is passed over.

    Raises:
        MalformedItemsError: this is not such a file, it holds no title, or too many of its rows
            (more than ten, and more than a tenth) cannot be read.
    """
    refuse = partial(MalformedItemsError, key)
    lines = _decoded(text_of(data, refuse)).split("\n")
    first = next((n for n, line in enumerate(lines) if line and not line.isspace()), None)
    if first is None:
        raise refuse(1, "the file holds blank lines only")
    titles = _Titles()
    if lines[first].lstrip().startswith("{"):
        _read_json_lines(lines, titles)
    else:
        _read_delimited(key, lines, first, titles)
    titles.check(refuse)
    return titles.by_item


class _Titles:
    """Collects titles, and why some rows gave none."""

    def __init__(self) -> None:
        self.by_item: dict[str, str] = {}
        self._problems: list[tuple[int, str]] = []
        self._rows = 0

    def add(self, line: int, item: str, title: str) -> None:
        """Take one row as it was read."""
        item, title = item.strip(), " ".join(title.split())
        problem = id_problem(item)
        if problem:
            self.reject(line, f"item id {problem}")
        elif len(title) > MAX_TITLE_LENGTH:
            self.reject(line, f"title is {len(title):,} characters long")
        else:
            self._rows += 1
            if title:
                self.by_item[item] = title

    def reject(self, line: int, reason: str) -> None:
        """Count one row that cannot be used."""
        self._rows += 1
        self._problems.append((line, reason))

    def check(self, refuse: Refuse) -> None:
        """Refuse a file that gave no title, or too much that is not one.

        Raises:
            InputError: ``refuse``'s.
        """
        bad = len(self._problems)
        if bad > max(_ALWAYS_ALLOWED_REJECTS, _REJECT_LIMIT * self._rows) or (
            bad and not self.by_item
        ):
            line, reason = self._problems[0]
            raise refuse(
                line, f"{bad:,} of {self._rows:,} rows cannot be used; this first one {reason}"
            )
        if not self.by_item:
            raise refuse(1, "no row holds a title" if self._rows else "there is a header, no rows")


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _read_json_lines(lines: Sequence[str], into: _Titles) -> None:
    for number, line in enumerate(lines, 1):
        if not line or line.isspace():
            continue
        try:
            row = json_object(line)
            names = tuple(row)
            found = find_columns(names, COLUMN_NAMES)
            if "item" not in found:
                raise ValueError("has no item")
            item = id_of(row[names[found["item"]]], "item")
        except ValueError as problem:
            into.reject(number, str(problem))
            continue
        title = row[names[found["title"]]] if "title" in found else None
        into.add(number, item, title if isinstance(title, str) else "")


def _read_delimited(key: str, lines: Sequence[str], first: int, into: _Titles) -> None:
    """Read delimited rows; ``lines[first]`` is the first that is not blank, perhaps a header."""
    for delimiter in DELIMITERS:
        found = find_columns(cells_of(lines[first], delimiter), COLUMN_NAMES)
        if all(role in found for role in _ROLES):
            rows = records(lines[first + 1 :], delimiter, first + 2)
            _add_rows(rows, found["item"], found["title"], into)
            return
    filled = [(number, line) for number, line in enumerate(lines, 1) if line and not line.isspace()]
    for delimiter in _HEADERLESS_DELIMITERS:
        # Most lines, and not the first alone: that may be a header which damage made unreadable.
        if 2 * sum(delimiter in line for _, line in filled) > len(filled):
            # These formats do not quote: a quotation mark belongs to the title.
            for number, line in filled:
                row = Record(number, line, line.split(delimiter))
                _add_rows([row], 0, 1, into)
            return
    raise MalformedItemsError(
        key,
        first + 1,
        "this is not a table of items: its first line names no item and title, and no '|' or '::' "
        "splits it into an id and a title",
    )


def _add_rows(rows: Iterable[Record], item_at: int, title_at: int, into: _Titles) -> None:
    for row in rows:
        if row.cells is None:
            into.reject(row.line, "has quotation marks that do not pair up")
        elif len(row.cells) <= item_at:
            into.reject(row.line, "has too few fields")
        else:
            title = row.cells[title_at] if title_at < len(row.cells) else ""
            into.add(row.line, row.cells[item_at], title)
