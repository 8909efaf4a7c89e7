"""How a text file of ratings is written: its separator and its columns, told from its head."""

from collections import Counter
from collections.abc import Mapping, Sequence

from recommender.errors import MalformedRatingsError
from recommender.formats.delimited import DELIMITERS, Layout, cells_of
from recommender.ratings.form import RatingForm
from recommender.ratings.rows import lines_of
from recommender.ratings.table import EXPECTED, REQUIRED_COLUMNS
from recommender.ratings.values import read_rating

SAMPLE_BYTES = 256 << 10
_SAMPLE_LINES = 100


def sample_of(head: bytes, *, whole: bool) -> list[tuple[int, str]]:
    """The first lines that are not blank, with their numbers."""
    lines, _ = lines_of(head[:SAMPLE_BYTES])
    if not (whole or head.endswith(b"\n")) and len(lines) > 1:
        lines.pop()  # cut off by the end of the sample
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line and not line.isspace()]
    return numbered[:_SAMPLE_LINES]


def detect_layout(key: str, sample: Sequence[tuple[int, str]], form: RatingForm) -> Layout:
    """Tell the delimiter and the columns from the first lines, as far as they are not given.

    Raises:
        MalformedRatingsError: no delimiter makes a table of them, or the header names no user, no
            item or no rating.
    """
    first_line, first_text = sample[0]
    delimiters = (form.separator,) if form.separator else DELIMITERS

    def layout(delimiter: str, positions: Mapping[str, int], *, header: bool) -> Layout:
        widths = Counter(len(cells_of(line, delimiter)) for _, line in sample)
        # Most lines of a damaged file may be too short for a row.
        needed = 1 + max(positions[role] for role in REQUIRED_COLUMNS)
        width = max(widths.most_common(1)[0][0], needed)
        return Layout(delimiter, positions, header, width)

    headers = {d: form.find_columns(cells_of(first_text, d)) for d in delimiters}
    if not form.has_positions:
        for delimiter, found in headers.items():
            if all(role in found for role in REQUIRED_COLUMNS):
                return layout(delimiter, found, header=True)
    positions = form.positions
    evidence = {delimiter: _evidence(sample, delimiter, positions) for delimiter in delimiters}
    delimiter = max(delimiters, key=lambda candidate: evidence[candidate])
    if form.names:
        raise _missing_names(key, first_line, cells_of(first_text, delimiter), form)
    if form.has_positions:
        cells = cells_of(first_text, delimiter)
        header = not any(_is_rating(cell) for cell in cells) and len(sample) > 1
        return layout(delimiter, positions, header=header)
    ratings_follow = evidence[delimiter][0] > 0
    _refuse_unknown_header(key, sample[0], delimiter, headers, ratings_follow=ratings_follow)
    if evidence[delimiter] == (0, 0):
        splits = (
            f"the separator {form.separator!r} of config.json does not split"
            if form.separator
            else "no tab, '::', comma, semicolon or '|' splits"
        )
        raise MalformedRatingsError(
            key, first_line, f"this is not a table of ratings: {splits} its lines into {EXPECTED}"
        )
    return layout(delimiter, positions, header=False)


def _missing_names(
    key: str, line: int, cells: Sequence[str], form: RatingForm
) -> MalformedRatingsError:
    plain = [cell.strip() for cell in cells]
    missing = [f"{name!r} for {role}" for role, name in form.names.items() if name not in plain]
    missing += [role for role in REQUIRED_COLUMNS if role not in form.find_columns(cells)]
    return MalformedRatingsError(
        key,
        line,
        f"config.json expects a column {', '.join(dict.fromkeys(missing))}, and the first line "
        "says " + ", ".join(repr(cell[:40]) for cell in plain[:10]),
    )


def _evidence(
    sample: Sequence[tuple[int, str]], delimiter: str, positions: Mapping[str, int]
) -> tuple[int, int]:
    """How many lines a delimiter turns into ratings, and how many into enough cells."""
    needed = 1 + max(positions[role] for role in REQUIRED_COLUMNS)
    rows = [cells_of(line, delimiter) for _, line in sample]
    wide = [cells for cells in rows if len(cells) >= needed]
    return sum(_is_rating(cells[positions["rating"]]) for cells in wide), len(wide)


def _is_rating(cell: str) -> bool:
    try:
        read_rating(cell)
    except ValueError:
        return False
    return True


def _refuse_unknown_header(
    key: str,
    first: tuple[int, str],
    delimiter: str,
    headers: Mapping[str, Mapping[str, int]],
    *,
    ratings_follow: bool,
) -> None:
    """Refuse to guess which column is which where the first line names columns, but not ours.

    A damaged header is no row to reject: the order of the columns is lost with it, and another
    order would make other ratings of good rows.
    """
    line, text = first
    telling = max(headers, key=lambda candidate: len(headers[candidate]))
    known = len(headers[telling])
    if known > 1:
        delimiter = telling
    cells = [cell.strip() for cell in cells_of(text, delimiter)]
    rating_at = REQUIRED_COLUMNS.index("rating")
    is_row = len(cells) > rating_at and _is_rating(cells[rating_at])
    is_header = known > 1 or (known == 1 and not is_row)
    if ratings_follow and not is_row:
        is_header |= any(map(str.isalpha, text)) and not any(map(str.isdigit, text))
    if not is_header and (
        any(map(_is_rating, cells)) or len(cells) < len(REQUIRED_COLUMNS) or "" in cells
    ):
        return
    missing = [role for role in REQUIRED_COLUMNS if role not in headers[delimiter]]
    names = ", ".join(repr(cell[:40]) for cell in cells[:10])
    raise MalformedRatingsError(
        key,
        line,
        f"the first line looks like a header, but names no {' and no '.join(missing)}: it says "
        f"{names}. Columns are called {EXPECTED}; without a header they stand in that order; "
        "`columns` in config.json says which is which",
    )
