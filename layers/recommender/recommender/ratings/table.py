"""The table that a rating file becomes: what its columns are called, and its rows."""

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.formats.cells import WordTable
from recommender.formats.delimited import Spellings
from recommender.formats.moments import iso_of
from recommender.ratings.account import MOST_FIRST_ROWS, FileAccount, FirstRow
from recommender.ratings.feedback import IMPLICIT, RATINGS, Meaning
from recommender.ratings.identifiers import IdTable
from recommender.ratings.rejects import Reject, RejectLog
from recommender.ratings.times import TimeAccount, TimeForm

ALWAYS_ALLOWED_REJECTS = 10

# Of several times in a row that of the rating counts, then that of its last change.
TIME_NAMES = (
    *("ratedat", "ratedon", "rated", "daterated", "timerated", "ratingtimestamp", "ratingtime"),
    *("ratingdate", "ratedtimestamp", "unixreviewtime", "reviewtime", "reviewdate", "reviewedat"),
    *("updatedat", "updatedon", "updated", "dateupdated", "lastupdated", "updatetime"),
    *("modifiedat", "modified", "datemodified", "lastmodified", "modifieddate"),
    *("timestamp", "ts", "unixtime", "eventtime", "eventtimestamp", "eventdate", "time"),
    *("datetime", "date", "occurredat", "purchasedat", "purchasedate", "orderedat", "orderdate"),
    *("invoicedate", "transactiondate", "watchedat", "playedat", "listenedat", "clickedat"),
    *("viewedat", "dt", "createdat", "createdon", "created", "datecreated", "datetimestamp"),
)
DATE_NAMES = (
    *("ratingdate", "daterated", "reviewdate", "date", "eventdate", "orderdate", "purchasedate"),
    *("invoicedate", "transactiondate", "dt"),
)
CLOCK_NAMES = (
    *("ratingtime", "timerated", "reviewtime", "time", "timeofday", "clock", "eventtime"),
    *("ordertime", "purchasetime", "invoicetime", "transactiontime", "hour"),
)

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
    "timestamp": TIME_NAMES,
}
TIME_COLUMNS = ("timestamp", "clock")
"""Without these a row is still one."""
REQUIRED_COLUMNS = ("user", "item", "rating")
EXPECTED = "user, item, rating and perhaps timestamp"

# As written by shops, players and logs of clicks.
COUNT_NAMES = (
    *("count", "counts", "playcount", "listencount", "clickcount", "viewcount", "purchasecount"),
    *("quantity", "qty", "plays", "listens", "clicks", "views", "purchases", "orders"),
    *("interactions", "frequency", "freq", "weight"),
)
EVENT_NAMES = (
    *("event", "eventtype", "eventname", "action", "actiontype", "behavior", "behaviour"),
    *("behaviortype", "behaviourtype", "interaction", "interactiontype", "type"),
)
INTERACTION_NAMES: Spellings = {
    **{role: names for role, names in COLUMN_NAMES.items() if role != "rating"},
    "count": COUNT_NAMES,
    "event": EVENT_NAMES,
}
"""Columns of files without ratings."""
INTERACTION_COLUMNS = ("user", "item")
"""Those that every such file has."""
EXPECTED_OF_INTERACTIONS = "user, item and perhaps count, event and timestamp"

_MAX_REMEMBERED = 100_000
_MOST_OPEN_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class RatingRows:
    """Some usable rows of a file, in file order; all columns have ``n`` entries.

    Attributes:
        users: int32 code of the user, as an `IdTable` gave it out.
        items: int32 code of the item.
        values: float32 rating; without ratings, the count times the weight of the event.
        timestamps: int64 nanoseconds since 1970; `NO_TIMESTAMP` where there is none.
        lines: int64 line of the row, counted from 1.
    """

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    timestamps: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.values.size)

    def some(self, which: npt.NDArray[np.int64]) -> "RatingRows":
        """Take the rows of these places."""
        return RatingRows(
            self.users[which],
            self.items[which],
            self.values[which],
            self.timestamps[which],
            self.lines[which],
        )


class RatingsBuilder:
    """Collects the rows of one file, from readers that each hand in what they understood.

    Attributes:
        meaning: what the rows say; set before the first of them.
        rejected: how many rows are not usable.
        time_form: how their times are written; set before the first of them.
        account: how the file was read.
    """

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
        self.meaning: Meaning = RATINGS
        self.account = FileAccount(key)
        self.rejected = 0
        self.time_form = TimeForm()
        self.first_reject: Reject | None = None
        self.numbers = WordTable()
        self._take = take
        self._log = log
        self._known_values: dict[str, float] = {}
        self._open = _OpenRows()

    @property
    def rows(self) -> int:
        """How many rows are usable."""
        return self.account.rows

    @property
    def times(self) -> TimeAccount:
        """What became of the times of the rows."""
        return self.account.times

    def value(self, cell: str) -> float:
        """Read a rating or a count; the same few spellings come again and again.

        Returns:
            NaN for a rating that says that there is none.

        Raises:
            ValueError: see `read_rating` and `read_count`.
        """
        value = self._known_values.get(cell)
        if value is None:
            value = self.meaning.read(cell)
            if len(self._known_values) < _MAX_REMEMBERED:
                self._known_values[cell] = value
        return value

    @property
    def rejects_to_keep(self) -> int:
        """How many more rows that cannot be used are to be told of one by one: at least one."""
        return max(self._log.room, 1 - self.rejected)

    def reject(self, line: int, reason: str, text: str) -> None:
        """Keep a row that cannot be used."""
        self.rejected += 1
        self.account.rejected[self._log.add(self.key, line, reason, text)] += 1
        if self.first_reject is None:
            self.first_reject = Reject(self.key, line, reason, "")

    def count_rejects(self, reason: str, many: int) -> None:
        """Count rows that cannot be used, behind those that are kept."""
        self.rejected += many
        self.account.rejected[self._log.count_more(reason, many)] += many

    def add(self, user: int, item: int, value: float, timestamp: int, line: int) -> None:
        """Add one row; ``user`` and ``item`` are codes that the id tables gave out."""
        if value == 0 and self.meaning.feedback == IMPLICIT:
            self.account.weightless += 1
            return
        if math.isnan(value):
            self.account.not_rated += 1
            return
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
        if self.meaning.feedback == IMPLICIT and not rows.values.all():
            some = np.flatnonzero(rows.values)
            self.account.weightless += len(rows) - some.size
            rows = rows.some(some)
        if self.meaning.missing and np.isnan(rows.values).any():
            some = np.flatnonzero(~np.isnan(rows.values))
            self.account.not_rated += len(rows) - some.size
            rows = rows.some(some)
        self._hand_in(rows)

    def flush(self) -> None:
        """Hand in the rows that were added one by one; needed after the last of them."""
        if self._open.lines:
            rows, self._open = self._open.closed(), _OpenRows()
            self._hand_in(rows)

    def _hand_in(self, rows: RatingRows) -> None:
        self.users.use(rows.users)
        self.items.use(rows.items)
        if len(self.account.first) < MOST_FIRST_ROWS:
            self._note_first(rows)
        self.account.rows += len(rows)
        self._take(rows)

    def _note_first(self, rows: RatingRows) -> None:
        for at in range(min(len(rows), MOST_FIRST_ROWS - len(self.account.first))):
            self.account.first.append(
                FirstRow(
                    int(rows.lines[at]),
                    self.users.spelling(int(rows.users[at])),
                    self.items.spelling(int(rows.items[at])),
                    float(rows.values[at]),
                    iso_of(int(rows.timestamps[at])),
                )
            )


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
