"""The table that a rating file becomes: its columns, its rejects, and what a cell may say."""

import math
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from recommender.formats.cells import WordTable
from recommender.formats.delimited import Spellings
from recommender.ratings.identifiers import IdTable

MAX_REJECT_TEXT = 200
MAX_KEPT_REJECTS = 10_000
MAX_REASONS = 50
ALWAYS_ALLOWED_REJECTS = 10
NO_TIMESTAMP = -1

# As written by MovieLens, Book-Crossing, the Amazon and Yelp reviews, and spreadsheets.
COLUMN_NAMES: Spellings = {
    "user": (
        *("userid", "user", "uid", "customerid", "customer", "reviewerid", "reviewer"),
        *("memberid", "member", "visitorid", "visitor"),
    ),
    "item": (
        *("itemid", "item", "movieid", "movie", "productid", "product", "parentasin", "asin"),
        *("isbn", "bookid", "book", "trackid", "track", "songid", "song", "artistid", "artist"),
        *("articleid", "article", "businessid", "business", "iid", "animeid", "anime"),
        *("recipeid", "recipe", "gameid", "game", "appid", "videoid", "video", "showid", "show"),
        *("courseid", "course", "placeid", "place", "restaurantid", "restaurant", "sku"),
    ),
    "rating": ("rating", "ratings", "score", "stars", "overall", "bookrating", "value"),
    "timestamp": (
        *("timestamp", "ts", "unixreviewtime", "time", "datetime", "date", "createdat"),
        *("ratedat", "updatedat"),
    ),
}
REQUIRED_COLUMNS = ("user", "item", "rating")
EXPECTED = "user, item, rating and perhaps timestamp"

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3},\d{1,2}", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_GREATEST = float(np.finfo(np.float32).max)
_INT64_LIMIT = 1 << 63
_SURELY_INT64 = 18  # digits
_MAX_REMEMBERED = 100_000
_MOST_OPEN_ROWS = 1 << 16
_VALUES_IN_REASON = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\b0x[0-9a-f]+|U\+[0-9A-F]+|\d[\d,.]*"""
)


@dataclass(frozen=True)
class Reject:
    """A row that could not be used.

    Attributes:
        key: the file's key.
        line: its line, counted from 1.
        reason: why, as the end of a sentence.
        text: the row as written, at most `MAX_REJECT_TEXT` characters of it.
    """

    key: str
    line: int
    reason: str
    text: str


def read_rating(cell: str) -> float:
    """Read a rating: a plain decimal number that a float32 can hold. ``4,5`` is ``4.5``.

    Raises:
        ValueError: it is none; the message says why.
    """
    text = cell.strip()
    if not text:
        raise ValueError("rating is empty")
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        what = "a finite number" if _NOT_FINITE.fullmatch(text) else "a number"
        raise ValueError(f"rating {_quoted(text)} is not {what}")
    return checked_rating(float(text))


def checked_rating(value: float) -> float:
    """Make sure that a float32 can hold a rating.

    Raises:
        ValueError: it cannot; the message says why.
    """
    if math.isnan(value):
        raise ValueError("rating 'nan' is not a finite number")
    if abs(value) > _GREATEST:
        raise ValueError("rating is too large for a 32-bit float")
    return value


def read_timestamp(cell: str) -> int:
    """Read when a rating was given, as an integer that orders ratings.

    Only repeated ratings of one pair look at it, so what cannot be read costs no row.

    Returns:
        A number as it stands, without its fraction; an ISO 8601 date as seconds since 1970 (UTC
        unless it says otherwise); `NO_TIMESTAMP` for anything else and for negative numbers.
    """
    text = cell.strip()
    if len(text) <= _SURELY_INT64 and text.isdecimal() and text.isascii():
        return int(text)
    if len(text) <= MAX_REJECT_TEXT and _NUMBER.fullmatch(text):
        if text.isdecimal():
            number = int(text)
        else:
            real = float(text)
            number = math.floor(real) if math.isfinite(real) else NO_TIMESTAMP
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return NO_TIMESTAMP
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        number = math.floor(moment.timestamp())
    return number if 0 <= number < _INT64_LIMIT else NO_TIMESTAMP


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


@dataclass(frozen=True, eq=False)
class RatingRows:
    """Some usable rows of a file, in file order; all columns have ``n`` entries.

    Attributes:
        users: int32 code of the user, as an `IdTable` gave it out.
        items: int32 code of the item.
        values: float32 rating.
        timestamps: int64; `NO_TIMESTAMP` where there is none.
        lines: int64 line of the row, counted from 1.
    """

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    timestamps: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.values.size)


class RejectLog:
    """Counts the rejects of a run by reason, and keeps the first of them.

    A reason's kind is the reason without the values in it, so that there are few of them.
    """

    def __init__(self, most_kept: int = MAX_KEPT_REJECTS) -> None:
        """Start empty; ``most_kept`` rejects are kept in full."""
        self.kept: list[Reject] = []
        self.by_reason: dict[str, int] = {}
        self.count = 0
        self._most_kept = most_kept

    def add(self, key: str, line: int, reason: str, text: str) -> None:
        """Take one row that cannot be used."""
        self.count += 1
        kind = _VALUES_IN_REASON.sub("…", reason)
        if kind not in self.by_reason and len(self.by_reason) >= MAX_REASONS:
            kind = "other"
        self.by_reason[kind] = self.by_reason.get(kind, 0) + 1
        if len(self.kept) < self._most_kept:
            self.kept.append(Reject(key, line, reason, _writable(text[:MAX_REJECT_TEXT])))


class RatingsBuilder:
    """Collects the rows of one file, from readers that each hand in what they understood."""

    def __init__(
        self,
        key: str,
        users: IdTable,
        items: IdTable,
        take: Callable[[RatingRows], None],
        log: RejectLog,
    ) -> None:
        """Start empty.

        Args:
            key: the file's key, for its rejects.
            users: gives codes to users; shared by the files of a run, as ``items`` is.
            items: gives codes to items.
            take: is handed the usable rows, in file order.
            log: is handed the others.
        """
        self.key = key
        self.users = users
        self.items = items
        self.rows = 0
        self.rejected = 0
        self.first_reject: Reject | None = None
        self.numbers = WordTable()
        self._take = take
        self._log = log
        self._known_values: dict[str, float] = {}
        self._open = _OpenRows()

    def value(self, cell: str) -> float:
        """Read a rating; the same few spellings come again and again.

        Raises:
            ValueError: see `read_rating`.
        """
        value = self._known_values.get(cell)
        if value is None:
            value = read_rating(cell)
            if len(self._known_values) < _MAX_REMEMBERED:
                self._known_values[cell] = value
        return value

    def reject(self, line: int, reason: str, text: str) -> None:
        """Keep a row that cannot be used."""
        self.rejected += 1
        self._log.add(self.key, line, reason, text)
        if self.first_reject is None:
            self.first_reject = Reject(self.key, line, reason, "")

    def add(self, user: int, item: int, value: float, timestamp: int, line: int) -> None:
        """Add one row; ``user`` and ``item`` are codes that the id tables gave out."""
        rows = self._open
        rows.users.append(user)
        rows.items.append(item)
        rows.values.append(value)
        rows.timestamps.append(timestamp)
        rows.lines.append(line)
        if len(rows.lines) >= _MOST_OPEN_ROWS:
            self.flush()

    def add_rows(self, rows: RatingRows) -> None:
        """Add many rows at once."""
        self.flush()
        self._hand_in(rows)

    def flush(self) -> None:
        """Hand in the rows that were added one by one; needed after the last of them."""
        if self._open.lines:
            rows, self._open = self._open.closed(), _OpenRows()
            self._hand_in(rows)

    def _hand_in(self, rows: RatingRows) -> None:
        self.users.use(rows.users)
        self.items.use(rows.items)
        self.rows += len(rows)
        self._take(rows)


class _OpenRows:
    """Rows that are still being added one by one."""

    def __init__(self) -> None:
        self.users = array("i")
        self.items = array("i")
        self.values = array("f")
        self.timestamps = array("q")
        self.lines = array("q")

    def closed(self) -> RatingRows:
        return RatingRows(
            np.array(self.users, np.int32),
            np.array(self.items, np.int32),
            np.array(self.values, np.float32),
            np.array(self.timestamps, np.int64),
            np.array(self.lines, np.int64),
        )


def _writable(text: str) -> str:
    """Spell out the bytes that were not UTF-8 (and lone surrogates), so that any file takes it."""
    spelled = text.encode("utf-8", "surrogateescape" if _escaped_only(text) else "surrogatepass")
    return spelled.decode("utf-8", "backslashreplace")


def _escaped_only(text: str) -> bool:
    return not re.search("[\ud800-\udc7f\udd00-\udfff]", text)
