"""Files that look like tables of ratings and are none: said in words, before a row is read."""

from collections.abc import Mapping, Sequence

from recommender.errors import MalformedRatingsError, shown
from recommender.formats.delimited import first_cells_count, normalised
from recommender.ratings.detection.kinds import ONE_KIND
from recommender.ratings.detection.samples import (
    Sample,
    is_number,
    may_be_ratings,
    numbers_in,
)
from recommender.ratings.form import RatingForm
from recommender.ratings.table import (
    COLUMN_NAMES,
    EXPECTED,
    INTERACTION_COLUMNS,
    REQUIRED_COLUMNS,
)

_MATRIX_COLUMNS = 6
_FEWEST_COUNTED = 5


def refuse_matrix(key: str, sample: Sample, delimiter: str, form: RatingForm) -> None:
    """Refuse a file that has a column for each item: its third column is no rating of its second.

    Raises:
        MalformedRatingsError: it has many columns of numbers without names, or numbers as names.
    """
    line, text = sample[0]
    first = [cell.strip() for cell in form.split(text, delimiter)]
    rows = [form.split(other, delimiter) for _, other in sample]
    many = sum(len(row) >= _MATRIX_COLUMNS and numbers_in(row) >= len(row) - 1 for row in rows)
    told = ""
    if 2 * many > len(rows):
        told = f"{len(rows[-1])} columns of numbers without names look like a matrix"
    elif len(first) > 1 and numbers_in(first[1:]) == len(first) - 1:
        is_named = normalised(first[0]) in (*COLUMN_NAMES["user"], *COLUMN_NAMES["item"])
        if is_named or (not first[0] and len(first) > len(REQUIRED_COLUMNS)):
            told = f"a first line of {shown(first[0])!r} and numbers looks like a pivot table"
    if told:
        raise MalformedRatingsError(
            key,
            line,
            f"{told}, with a column for each item. Write a row for each rating: {EXPECTED}. If "
            "the columns mean that, `columns` in config.json gives their numbers",
        )


def refuse_index(key: str, sample: Sample, delimiter: str, form: RatingForm) -> None:
    """Refuse a file without a header whose rows begin with their own number, as pandas writes them.

    Raises:
        MalformedRatingsError: the first cells count the rows, and the fourth ones are rather
            ratings than the third.
    """
    rows = [form.split(line, delimiter) for _, line in sample]
    if len(rows) < _FEWEST_COUNTED or min(map(len, rows)) <= len(REQUIRED_COLUMNS):
        return
    third, fourth = ([row[at] for row in rows] for at in (2, 3))
    if first_cells_count(rows) and may_be_ratings(fourth) and not may_be_ratings(third):
        raise MalformedRatingsError(
            key,
            sample[0][0],
            "the first cells count the rows, which looks like an index column without a name, as "
            "pandas writes it. Write the file without it or with a header; or `columns` in "
            "config.json gives the columns' numbers",
        )


def refuse_unknown_header(
    key: str,
    first: tuple[int, str],
    delimiter: str,
    headers: Mapping[str, Mapping[str, int]],
    form: RatingForm,
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
    cells = [cell.strip() for cell in form.split(text, delimiter)]
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


def no_table(
    key: str, sample: Sample, delimiters: Sequence[str], form: RatingForm
) -> MalformedRatingsError:
    """Say that nothing makes a table of the first lines."""
    splits = (
        f"the separator {form.separator!r} of config.json does not split"
        if form.separator
        else "no tab, '::', comma, semicolon or '|' splits"
    )
    told = f"this is not a table of ratings: {splits} its lines into {EXPECTED}"
    if _pairs_among(sample, delimiters, form):
        told += f". {ONE_KIND}"
    return MalformedRatingsError(key, sample[0][0], told)


def missing_names(
    key: str, line: int, cells: Sequence[str], form: RatingForm
) -> MalformedRatingsError:
    """Say which of the columns that the settings name are not there."""
    plain = [cell.strip() for cell in cells]
    missing = [f"{name!r} for {role}" for role, name in form.names.items() if name not in plain]
    missing += [role for role in REQUIRED_COLUMNS if role not in form.find_columns(cells)]
    return MalformedRatingsError(
        key,
        line,
        f"config.json expects a column {', '.join(dict.fromkeys(missing))}, and the first line "
        "says " + ", ".join(repr(cell[:40]) for cell in plain[:10]),
    )


def _pairs_among(sample: Sample, delimiters: Sequence[str], form: RatingForm) -> bool:
    """Whether most lines are two cells by some delimiter: a user and an item, perhaps."""
    return any(
        2 * sum(len(form.split(line, one)) == len(INTERACTION_COLUMNS) for _, line in sample)
        > len(sample)
        for one in delimiters
    )
