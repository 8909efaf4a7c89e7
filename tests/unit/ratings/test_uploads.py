"""What wraps the text of a file of ratings: compression, byte order marks, UTF-16."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import sys
import zipfile
from functools import partial

import pytest
from recommender.errors import MalformedRatingsError
from recommender.formats import compression

from testbed.ratings.files import ROWS, accepted, delimited, expected, refusal

JSON_LINES = "".join(
    json.dumps({"user_id": u, "item_id": str(i), "rating": r, "timestamp": t}) + "\n"
    for u, i, r, t in ROWS
).encode()


if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SKIPPED = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


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
        pytest.param(bz2.compress, id="bzip2"),
        pytest.param(lambda data: bz2.compress(data[:9]) + bz2.compress(data[9:]), id="2 bzip2"),
        pytest.param(lzma.compress, id="xz"),
        pytest.param(zstd.compress, id="zstd"),
        pytest.param(
            lambda data: SKIPPED + zstd.compress(data[:9]) + SKIPPED + zstd.compress(data[9:]),
            id="frames and what is to be skipped",
        ),
        pytest.param(lambda data: zipped({"a.csv": data}), id="zip"),
        pytest.param(
            lambda data: zipped({"in/": b"", "in/a.csv": data, "__MACOSX/._a.csv": b"x"}),
            id="zip of macOS",
        ),
        pytest.param(lambda data: data.rstrip(b"\n"), id="no last line end"),
        pytest.param(lambda data: data + b"\n  \n\r\n", id="blank lines at the end"),
    ],
)
@pytest.mark.parametrize("data", [delimited("\t"), delimited("::"), JSON_LINES])
def test_what_wraps_the_text_changes_nothing(wrap, data: bytes) -> None:  # type: ignore[no-untyped-def]
    assert accepted(wrap(data)) == expected(1)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "RATIO_IS_CHECKED_FROM", 1 << 20)
    bomb = gzip.compress(b"1,2,3\n" * 1_000_000)
    assert len(bomb) * compression.MAX_INFLATION_RATIO < 6_000_000
    assert "unpacks to more than" in refusal(bomb).reason


def test_an_upload_that_unpacks_past_the_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MAX_INFLATED_BYTES", 1000)
    assert "more than 1,000" in refusal(gzip.compress(delimited("\t") * 100)).reason


BOMB = b"1,2,3\n" * 20_000_000
PACKERS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "Zstandard": partial(zstd.compress, options={zstd.CompressionParameter.checksum_flag: 1}),
}


@pytest.mark.parametrize("name", ["bzip2", "xz", "Zstandard", "zip"])
def test_bombs_of_every_kind_are_refused(name: str) -> None:
    bomb = zipped({"a.csv": BOMB}) if name == "zip" else PACKERS[name](BOMB)
    assert "unpacks to more than" in refusal(bomb).reason


@pytest.mark.parametrize("name", PACKERS)
def test_damage_to_what_is_packed_is_named(name: str) -> None:
    packed = PACKERS[name](delimited(","))
    assert f"{name} file that is cut off" in refusal(packed[:-5]).reason
    broken = packed[:15] + bytes(byte ^ 0xFF for byte in packed[15:])
    assert f"{name} file that is" in refusal(broken).reason
    assert f"{name} file with something else behind it" in refusal(packed + b"more of it").reason
    assert "twice; upload it" in refusal(PACKERS[name](packed)).reason


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"folder/": b""}, "of 0 files"),
        ({"a.csv": b"1,2,3\n", "b.csv": b"1,2,3\n"}, "of 2 files"),
        ({"[Content_Types].xml": b"", "xl/workbook.xml": b""}, "an Excel workbook"),
        ({"a.csv.gz": gzip.compress(b"1,2,3\n")}, "packed twice"),
    ],
)
def test_archives_of_anything_but_one_table_are_refused(
    files: dict[str, bytes], words: str
) -> None:
    assert words in refusal(zipped(files)).reason


def test_a_damaged_archive_is_refused_whatever_the_damage() -> None:
    data = zipped({"a.csv": delimited(",") * 50})
    for at in range(0, len(data), 3):
        broken = data[:at] + bytes((data[at] ^ 0x55,)) + data[at + 1 :]
        with contextlib.suppress(MalformedRatingsError):  # nothing else is raised
            assert len(accepted(broken)) == 150


@pytest.mark.parametrize("many", [17_000, 70_000])  # the latter need the index of large archives
def test_an_archive_of_very_many_files_is_refused_before_they_are_listed(
    monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    data = zipped({f"part-{number:011}": b"" for number in range(many)})
    opened = []
    monkeypatch.setattr(compression.zipfile, "ZipFile", opened.append)
    assert "very many files" in refusal(data).reason
    assert not opened
