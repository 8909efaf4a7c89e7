"""How a text file of ratings is written: its separator and its columns, told from its head."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from recommender.errors import MalformedRatingsError
from recommender.formats.delimited import DELIMITERS, Layout, normalised
from recommender.formats.openings import header_at, past_comments, said_separator
from recommender.formats.quoting import cells_of
from recommender.ratings.feedback import EXPLICIT
from recommender.ratings.form import RatingForm
from recommender.ratings.interactions import (
    Sample,
    by_header,
    detect_interactions,
    is_number,
    layout_of,
    pairs_among,
)
from recommender.ratings.kinds import ONE_KIND
from recommender.ratings.rows import lines_of
from recommender.ratings.table import (
    COLUMN_NAMES,
    EXPECTED,
    INTERACTION_COLUMNS,
    REQUIRED_COLUMNS,
)

SAMPLE_BYTES = 256 << 10
_SAMPLE_LINES = 100
_MATRIX_COLUMNS = 6


def sample_of(head: bytes, *, whole: bool) -> list[tuple[int, str]]:
    """The first lines that are not blank, with their numbers."""
    lines, _ = lines_of(head[:SAMPLE_BYTES])
    if not (whole or head.endswith(b"\n")) and len(lines) > 1:
        lines.pop()  # cut off by the end of the sample
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line and not line.isspace()]
    return numbered[:_SAMPLE_LINES]


def find_table(key: str, sample: Sample, form: RatingForm) -> tuple[Sample, RatingForm]:
    """Pass over what stands before the table: Excel's ``sep=``, comments, titles.

    Returns:
        The lines from the header on, or from the first row if no line is one; and the form, with
        the separator that the file itself names.

    Raises:
        MalformedRatingsError: there is nothing else, or a line names the columns and a row of
            ratings stands before it.
    """
    said = said_separator(sample[0][1])
    if said:
        if len(sample) == 1:
            raise MalformedRatingsError(
                key, sample[0][0], f"the file holds nothing but {sample[0][1].strip()!r}"
            )
        sample = sample[1:]
        form = form if form.separator else replace(form, separator=said)
    separators = (form.separator,) if form.separator else DELIMITERS

    first = next((line for _, line in sample if not line.startswith("#")), "")

    def is_content(line: str) -> bool:
        """Whether it is a row, or as many cells as one: then perhaps names that we do not know."""
        for one in separators:
            cells, width = cells_of(line, one), len(cells_of(first, one))
            if _is_row(cells, form.positions) or len(cells) == width >= len(REQUIRED_COLUMNS):
                return True
        return False

    def is_header(cells: Sequence[str]) -> bool:
        return _names_columns(cells, form)

    header = None if form.has_positions else header_at(sample, separators, is_header)
    if header is None:
        return past_comments(sample, is_content), form
    place, separator = header
    columns = cells_of(sample[place][1], separator)
    for line, text in sample[:place]:
        cells = cells_of(text, separator)
        if len(cells) == len(columns) and _is_row(cells, _roles(columns, form)):
            raise MalformedRatingsError(
                key,
                sample[place][0],
                f"this line names the columns, and line {line} before it looks like a row; "
                "the header has to stand before the rows",
            )
    return sample[place:], form


def _roles(names: Sequence[str], form: RatingForm) -> dict[str, int]:
    """Which column is what, by names: of ratings, or of data without them if there are none."""
    found = {} if form.is_implicit else form.find_columns(names)
    if all(role in found for role in REQUIRED_COLUMNS):
        return found
    return form.find_interactions(names) if _may_lack_ratings(form) else found


def _names_columns(cells: Sequence[str], form: RatingForm) -> bool:
    """Whether cells are a header: they name user and item, and what the form says, no number."""
    found = _roles(cells, form)
    if not all(role in found for role in INTERACTION_COLUMNS) or any(map(is_number, cells)):
        return False
    return "rating" in found or _may_lack_ratings(form)


def _is_row(cells: Sequence[str], positions: Mapping[str, int]) -> bool:
    """Whether cells hold a user, an item and, where there is a column of them, a number."""
    ids = [positions[role] for role in INTERACTION_COLUMNS]
    number_at = positions.get("rating", positions.get("count"))
    if len(cells) <= max(*ids, number_at or 0) or not all(cells[at].strip() for at in ids):
        return False
    return number_at is None or is_number(cells[number_at])


def detect_layout(key: str, sample: Sequence[tuple[int, str]], form: RatingForm) -> Layout:
    """Tell the delimiter and the columns from the first lines, as far as they are not given.

    Returns:
        A layout without a rating if the file is one without ratings: by the settings, or by its
        header, where the settings leave that to the file.

    Raises:
        MalformedRatingsError: no delimiter makes a table of them, or the header names no user, no
            item or no rating.
    """
    if form.is_implicit:
        return detect_interactions(key, sample, form)
    first_line, first_text = sample[0]
    delimiters = (form.separator,) if form.separator else DELIMITERS

    def layout(delimiter: str, positions: Mapping[str, int], *, header: bool) -> Layout:
        return layout_of(sample, delimiter, positions, REQUIRED_COLUMNS, header=header)

    headers = {d: form.find_columns(cells_of(first_text, d)) for d in delimiters}
    if not form.has_positions:
        for delimiter, found in headers.items():
            if all(role in found for role in REQUIRED_COLUMNS):
                return layout(delimiter, found, header=True)
    without_ratings = by_header(sample, form) if _may_lack_ratings(form) else None
    if without_ratings is not None:
        return without_ratings
    positions = form.positions
    evidence = {delimiter: _evidence(sample, delimiter, positions) for delimiter in delimiters}
    delimiter = max(delimiters, key=lambda candidate: evidence[candidate])
    if form.names:
        raise _missing_names(key, first_line, cells_of(first_text, delimiter), form)
    if form.has_positions:
        cells = cells_of(first_text, delimiter)
        header = not any(is_number(cell) for cell in cells) and len(sample) > 1
        return layout(delimiter, positions, header=header)
    _refuse_matrix(key, sample, delimiter)
    ratings_follow = evidence[delimiter][0] > 0
    _refuse_unknown_header(key, sample[0], delimiter, headers, ratings_follow=ratings_follow)
    if evidence[delimiter] == (0, 0):
        raise _no_table(key, sample, delimiters, form)
    return layout(delimiter, positions, header=False)


def _refuse_matrix(key: str, sample: Sequence[tuple[int, str]], delimiter: str) -> None:
    """Refuse a file that has a column for each item: its third column is no rating of its second.

    Raises:
        MalformedRatingsError: it has many columns of numbers without names, or numbers as names.
    """
    line, text = sample[0]
    first = [cell.strip() for cell in cells_of(text, delimiter)]
    rows = [cells_of(other, delimiter) for _, other in sample]
    many = sum(len(row) >= _MATRIX_COLUMNS and _numbers_in(row) >= len(row) - 1 for row in rows)
    told = ""
    if 2 * many > len(rows):
        told = f"{len(rows[-1])} columns of numbers without names look like a matrix"
    elif len(first) > 1 and _numbers_in(first[1:]) == len(first) - 1:
        is_named = normalised(first[0]) in (*COLUMN_NAMES["user"], *COLUMN_NAMES["item"])
        if is_named or (not first[0] and len(first) > len(REQUIRED_COLUMNS)):
            told = f"a first line of {first[0]!r} and numbers looks like a pivot table"
    if told:
        raise MalformedRatingsError(
            key,
            line,
            f"{told}, with a column for each item. Write a row for each rating: {EXPECTED}. If "
            "the columns mean that, `columns` in config.json gives their numbers",
        )


def _numbers_in(cells: Sequence[str]) -> int:
    return sum(map(is_number, cells))


def _may_lack_ratings(form: RatingForm) -> bool:
    """Whether a file may turn out to be without ratings."""
    return form.feedback != EXPLICIT and "rating" not in form.columns


def _no_table(
    key: str, sample: Sequence[tuple[int, str]], delimiters: Sequence[str], form: RatingForm
) -> MalformedRatingsError:
    splits = (
        f"the separator {form.separator!r} of config.json does not split"
        if form.separator
        else "no tab, '::', comma, semicolon or '|' splits"
    )
    told = f"this is not a table of ratings: {splits} its lines into {EXPECTED}"
    if pairs_among(sample, delimiters):
        told += f". {ONE_KIND}"
    return MalformedRatingsError(key, sample[0][0], told)


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
    return sum(is_number(cells[positions["rating"]]) for cells in wide), len(wide)


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
    is_row = len(cells) > rating_at and is_number(cells[rating_at])
    is_header = known > 1 or (known == 1 and not is_row)
    if ratings_follow and not is_row:
        is_header |= any(map(str.isalpha, text)) and not any(map(str.isdigit, text))
    if not is_header and (
        any(map(is_number, cells)) or len(cells) < len(REQUIRED_COLUMNS) or "" in cells
    ):
        return
    missing = [role for role in REQUIRED_COLUMNS if role not in headers[delimiter]]
    names = ", ".join(repr(cell[:40]) for cell in cells[:10])
    is_without_ratings = all(role in headers[delimiter] for role in INTERACTION_COLUMNS)
    hint = f". {ONE_KIND}" if is_without_ratings else ""
    raise MalformedRatingsError(
        key,
        line,
        f"the first line looks like a header, but names no {' and no '.join(missing)}: it says "
        f"{names}. Columns are called {EXPECTED}; without a header they stand in that order; "
        f"`columns` in config.json says which is which{hint}",
    )
