"""What wraps the text of a file of ratings: gzip, byte order marks, UTF-16."""

import gzip
import json

import pytest
from recommender.formats import uploads

from testbed.ratings.files import ROWS, accepted, delimited, expected, refusal

JSON_LINES = "".join(
    json.dumps({"user_id": u, "item_id": str(i), "rating": r, "timestamp": t}) + "\n"
    for u, i, r, t in ROWS
).encode()


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="UTF-8 with mark"),
        pytest.param(lambda data: data.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(
            lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"), id="UTF-16 big-endian"
        ),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]), id="members"),
        pytest.param(lambda data: gzip.compress(data) + bytes(512), id="gzip with padding"),
        pytest.param(lambda data: data.rstrip(b"\n"), id="no last line end"),
        pytest.param(lambda data: data + b"\n  \n\r\n", id="blank lines at the end"),
    ],
)
@pytest.mark.parametrize("data", [delimited("\t"), delimited("::"), JSON_LINES])
def test_what_wraps_the_text_changes_nothing(wrap, data: bytes) -> None:  # type: ignore[no-untyped-def]
    assert accepted(wrap(data)) == expected(1)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "RATIO_IS_CHECKED_FROM", 1 << 20)
    bomb = gzip.compress(b"1,2,3\n" * 1_000_000)
    assert len(bomb) * uploads.MAX_INFLATION_RATIO < 6_000_000
    assert "unpacks to more than" in refusal(bomb).reason


def test_an_upload_that_unpacks_past_the_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_INFLATED_BYTES", 1000)
    assert "more than 1,000" in refusal(gzip.compress(delimited("\t") * 100)).reason
