"""List* calls: filter, order and page the records of one kind."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic

from botocore.utils import parse_timestamp

from local.sagemaker.account.registry import Record, RecordT
from local.sagemaker.faults import ValidationError

DEFAULT_PAGE = 10
"""Records on a page when the request does not say."""

Place = tuple[str | float, str]


@dataclass(frozen=True)
class Page(Generic[RecordT]):
    """One page of records, and the token of the next one."""

    records: list[RecordT]
    next_token: str | None

    def answer(
        self, name: str, summary: Callable[[RecordT], Mapping[str, object]]
    ) -> dict[str, object]:
        """The response body: summaries under ``name``, and ``NextToken`` when there is more."""
        body: dict[str, object] = {name: [summary(record) for record in self.records]}
        if self.next_token is not None:
            body["NextToken"] = self.next_token
        return body


def page(
    records: Iterable[RecordT],
    request: Mapping[str, object],
    *,
    status: Callable[[RecordT], str] = lambda _: "",
    newest_first: bool = True,
) -> Page[RecordT]:
    """The page that a List* request asks for.

    Args:
        records: every record of the kind.
        request: the validated request.
        status: the status of a record, for ``StatusEquals`` and ``SortBy: Status``.
        newest_first: whether the order is descending when the request does not say.

    Raises:
        ValidationError: the token is not one of ours.
    """
    sort_by = request.get("SortBy", "CreationTime")
    order = request.get("SortOrder", "Descending" if newest_first else "Ascending")
    descending = order == "Descending"

    def place(record: Record) -> Place:
        keys: dict[object, str | float] = {"Name": record.name, "CreationTime": record.created}
        return keys.get(sort_by, ""), record.name

    def full_place(record: RecordT) -> Place:
        return (status(record), record.name) if sort_by == "Status" else place(record)

    wanted = [record for record in records if _matches(record, request, status)]
    wanted.sort(key=full_place, reverse=descending)
    token = request.get("NextToken")
    if isinstance(token, str):
        last = _read_token(token)
        # The token names the last record shown, so records that come and go shift nothing.
        wanted = [r for r in wanted if _is_after(full_place(r), last, descending=descending)]
    limit = request.get("MaxResults", DEFAULT_PAGE)
    size = limit if isinstance(limit, int) else DEFAULT_PAGE
    more = len(wanted) > size
    shown = wanted[:size]
    return Page(shown, _write_token(full_place(shown[-1])) if more else None)


def _matches(
    record: RecordT, request: Mapping[str, object], status: Callable[[RecordT], str]
) -> bool:
    part, wanted = request.get("NameContains"), request.get("StatusEquals")
    if isinstance(part, str) and part.lower() not in record.name.lower():
        return False
    if wanted is not None and status(record) != wanted:
        return False
    bounds = (("CreationTime", record.created), ("LastModifiedTime", record.modified))
    for what, moment in bounds:
        after, before = (
            _seconds(request.get(f"{what}After")),
            _seconds(request.get(f"{what}Before")),
        )
        if (after is not None and moment <= after) or (before is not None and moment >= before):
            return False
    return True


def _seconds(timestamp: object) -> float | None:
    """A timestamp of a request, which may be a number or a text, in seconds since the epoch."""
    if isinstance(timestamp, int | float):
        return float(timestamp)
    return parse_timestamp(timestamp).timestamp() if isinstance(timestamp, str) else None


def _is_after(place: Place, last: Place, *, descending: bool) -> bool:
    try:
        return place < last if descending else place > last
    except TypeError as error:
        raise ValidationError("The token belongs to a list in another order.") from error


def _write_token(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_token(token: str) -> Place:
    try:
        key, name = json.loads(base64.urlsafe_b64decode(token.encode()))
        if isinstance(key, str | float) and isinstance(name, str):
            return key, name
    except (binascii.Error, ValueError, TypeError):
        pass
    raise ValidationError(f"Invalid NextToken: {token}")
