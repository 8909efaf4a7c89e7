"""The title of each item, for answers that people read."""

from recommender.catalog.sheets import (
    ALWAYS_ALLOWED_REJECTS,
    REJECT_LIMIT,
    Row,
    Sheet,
    usable_id,
)
from recommender.errors import MalformedItemsError

MAX_TITLE_LENGTH = 1000


def titles_of(sheet: Sheet) -> dict[str, str]:
    """Collect the titles of items.

    Returns:
        Item id -> title, with single spaces. The last of several titles stays; a row without one
        is passed over.

    Raises:
        MalformedItemsError: there is no title, or too many of the rows cannot be used.
    """
    titles: dict[str, str] = {}
    problems: list[tuple[int, str]] = []
    for row in sheet.rows:
        try:
            item, title = _item_and_title(row)
        except ValueError as problem:
            problems.append((row.line, str(problem)))
            continue
        if title:
            titles[item] = title
    bad, rows = len(problems), len(sheet.rows)
    if bad > max(ALWAYS_ALLOWED_REJECTS, REJECT_LIMIT * rows) or (bad and not titles):
        line, reason = problems[0]
        raise MalformedItemsError(
            sheet.key, line, f"{bad:,} of {rows:,} rows cannot be used; this first one {reason}"
        )
    if not titles:
        reason = "no row holds a title" if rows else "there is a header, no rows"
        raise MalformedItemsError(sheet.key, 1, reason)
    return titles


def _item_and_title(row: Row) -> tuple[str, str]:
    item, title = usable_id(row, "item"), " ".join(row.title.split())
    if len(title) > MAX_TITLE_LENGTH:
        raise ValueError(f"title is {len(title):,} characters long")
    return item, title
