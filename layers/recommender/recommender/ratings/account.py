"""How a file of ratings was read, for people: form, columns, times, rows, the first of these."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from recommender.errors import shown
from recommender.formats.delimited import Layout
from recommender.formats.moments import DateOrder
from recommender.ratings.times import TimeAccount, told_order

MOST_FIRST_ROWS = 3
_SEPARATORS = {"\t": "tab", " ": "space", ",": "comma", ";": "semicolon", "|": "pipe"}


@dataclass(frozen=True)
class FirstRow:
    """A row as it was understood; ``time`` is ISO 8601 in UTC, or empty."""

    line: int
    user: str
    item: str
    value: float
    time: str


@dataclass
class FileAccount:
    """What became of one file of ratings.

    Attributes:
        key: the file's key.
        format: "delimited text", "JSON Lines" or "Parquet".
        packing: what it is packed with, or that it is an Excel workbook.
        encoding: of a text.
        separator: of delimited text.
        quoting: of delimited text: what quotation marks mean.
        header_line: of delimited text: where the header is; 0 for none.
        columns: role -> the column that plays it.
        names: role -> the name of that column, if it has one.
        date_order: what comes first in dates that do not say it.
        rows: how many can be used.
        rejected: reason -> how many cannot.
        weightless: how many count nothing.
        not_rated: how many have a rating that says that there is none.
        windows_lines: how many lines are not UTF-8, and were read as Windows-1252.
        times: what became of the times.
        first: the first rows.
    """

    key: str
    format: str = ""
    packing: str = ""
    encoding: str = ""
    separator: str = ""
    quoting: str = ""
    header_line: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    date_order: DateOrder = ""
    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    weightless: int = 0
    not_rated: int = 0
    windows_lines: int = 0
    times: TimeAccount = field(default_factory=TimeAccount)
    first: list[FirstRow] = field(default_factory=list)

    def note_packing(self, noun: str) -> None:
        """Take what the file is packed with."""
        self.packing = noun

    def note_layout(self, layout: Layout, names: Sequence[str], header_line: int) -> None:
        """Take how a table of text is written; ``names`` are its header's, if it has one."""
        self.format = "delimited text"
        self.separator = _SEPARATORS.get(layout.delimiter, layout.delimiter)
        self.quoting = str(layout.quoting)
        self.header_line = header_line
        shift = int(layout.header and layout.most == len(names) + 1)  # row names have no name
        for role, at in layout.positions.items():
            if at < 0:
                self.columns[role] = f"the folder's name, {layout.constants[at]!r}"
                continue
            named = names[at - shift].strip() if 0 <= at - shift < len(names) else ""
            self.columns[role] = f"column {at + 1}" + (f", {shown(repr(named))}" if named else "")
            if named:
                self.names[role] = named

    def note_names(self, names: Mapping[str, str]) -> None:
        """Take which named column plays which role; the first row that has them decides."""
        for role, name in names.items():
            self.columns.setdefault(role, shown(repr(name)))
            self.names.setdefault(role, name)

    @property
    def warnings(self) -> list[str]:
        """What its owner should look at, in sentences."""
        told = []
        order = told_order(self.times.unread)
        if order:
            told.append(f"{self.key}: {order}")
        return told

    def to_dict(self) -> dict[str, object]:
        """For the manifest; what is empty or 0 is left out."""
        told: dict[str, object] = {
            "key": self.key,
            "format": self.format,
            "packing": self.packing,
            "encoding": self.encoding,
            "separator": self.separator,
            "quoting": self.quoting,
            "columns": self.columns,
            "rows": self.rows,
            "headerLine": self.header_line,
            "dateOrder": self.date_order,
            "rejected": dict(self.rejected),
            "weightless": self.weightless,
            "notRated": self.not_rated,
            "windows1252Lines": self.windows_lines,
            "times": self.times.to_dict(),
            "first": [vars(row) for row in self.first],
        }
        return {name: value for name, value in told.items() if value or name == "rows"}


def sentences(told: Mapping[str, object]) -> list[str]:
    """Say how a file was read, line by line.

    Args:
        told: what `FileAccount.to_dict` gave, perhaps by way of a manifest.
    """
    form = [str(told.get("packing", "")), str(told.get("format") or "not read")]
    if "separator" in told:
        form.append(f"separator: {told['separator']}")
        form.append(f"quotation marks: {told['quoting']}")
        line = told.get("headerLine")
        form.append(f"header in line {line}" if line else "no header")
    form.append(str(told.get("encoding", "")))
    if "windows1252Lines" in told:
        form.append(f"{told['windows1252Lines']:,} lines Windows-1252")
    lines = [", ".join(part for part in form if part)]
    columns = told.get("columns")
    if isinstance(columns, Mapping):
        lines.append("; ".join(f"{role}: {column}" for role, column in columns.items()))
    many = told["rows"]
    rows = [f"{many:,} row" + ("" if many == 1 else "s")]
    for name, words in (("notRated", "not rated"), ("weightless", "that count nothing")):
        if name in told:
            rows.append(f"{told[name]:,} {words}")
    lines.append(", ".join(rows))
    rejected = told.get("rejected")
    if isinstance(rejected, Mapping):
        lines += [f"rejected: {many:,} rows: {reason}" for reason, many in rejected.items()]
    times = told.get("times")
    if isinstance(times, Mapping):
        lines += _of_times(times, str(told.get("dateOrder", "")))
    first = told.get("first")
    lines += _first_rows(first if isinstance(first, Sequence) else ())
    return lines


def _of_times(times: Mapping[str, object], order: str) -> Iterable[str]:
    for name, words in (("read", "times"), ("unread", "times that were not understood")):
        spellings = times.get(name)
        if isinstance(spellings, Mapping):
            said = "; ".join(f"{many:,} {spelling}" for spelling, many in spellings.items())
            yield f"{words}: {said}"
    if order:
        yield f"dates like 05/01/2024: {order.replace('_', ' ')}"
    if "missing" in times:
        yield f"rows without a time: {times['missing']:,}"


def _first_rows(rows: Iterable[Mapping[str, object]]) -> Iterable[str]:
    for row in rows:
        time = f", {row['time']}" if row["time"] else ""
        yield f"line {row['line']}: user {row['user']}, item {row['item']}, {row['value']}{time}"
