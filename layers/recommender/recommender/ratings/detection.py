"""How a text file of ratings is written: its separator and its columns, told from its head."""

from collections.abc import Mapping, Sequence

from recommender.errors import MalformedRatingsError
from recommender.formats.delimited import DELIMITERS, Layout, cells_of
from recommender.ratings.feedback import EXPLICIT
from recommender.ratings.form import RatingForm
from recommender.ratings.interactions import (
    by_header,
    detect_interactions,
    is_number,
    layout_of,
    pairs_among,
)
from recommender.ratings.kinds import ONE_KIND
from recommender.ratings.rows import lines_of
from recommender.ratings.table import EXPECTED, INTERACTION_COLUMNS, REQUIRED_COLUMNS

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
    ratings_follow = evidence[delimiter][0] > 0
    _refuse_unknown_header(key, sample[0], delimiter, headers, ratings_follow=ratings_follow)
    if evidence[delimiter] == (0, 0):
        raise _no_table(key, sample, delimiters, form)
    return layout(delimiter, positions, header=False)


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
