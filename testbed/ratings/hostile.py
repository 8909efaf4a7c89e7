"""Files that are made to cost their reader more than they are long: of any size, drawn from none.

Each text below grows with ``size`` and is of one kind of trouble, so that a test compares what two
sizes of it cost. Parquet files are written byte by byte, for no writer says what is not so.
"""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from types import MappingProxyType

from recommender.formats.parquet.thrift import Written, binary, i32, i64, list_of, struct

INT32, BYTE_ARRAY = 1, 6
PLAIN, DELTA_LENGTHS, RLE_DICTIONARY = 0, 6, 8
UNCOMPRESSED, GZIP = 0, 2
NAMES = ("user", "item", "rating")
ROWS = 10
NUMBERS = b"".join(number.to_bytes(4, "little") for number in range(ROWS))

_HEADER = b"user,item,rating\n"


def unpaired_marks(size: int) -> bytes:
    """Rows of which each second one opens a cell with a mark that nothing closes as it should."""
    pair = b'1,"2,3\n4,5,1\n'
    return _HEADER + pair * (size // len(pair))


def marks_that_close_late(size: int) -> bytes:
    """Rows of which each opens a cell that the next one's mark closes in the wrong place."""
    row = b'"1,2,3\n'
    return _HEADER + row * (size // len(row))


def marks_that_never_close(size: int) -> bytes:
    """Rows that each leave a mark open, however those before them are read."""
    row = b'1","\n'
    return _HEADER + b"1,2,3\n" * 9 + row * (size // len(row))


def lone_mark(size: int) -> bytes:
    """One mark before rows without any, which all may belong to its cell."""
    row = b"1,2,3\n"
    return _HEADER + b'"1,2,3\n' + row * (size // len(row))


def members(size: int) -> bytes:
    """A gzip file of as many members as there is room for, each of nothing."""
    none = gzip.compress(b"", mtime=0)
    return gzip.compress(_HEADER + b"1,2,3\n", mtime=0) + none * (size // len(none))


def members_of_a_byte(size: int) -> bytes:
    """A gzip file whose members hold a byte each."""
    text = _HEADER + b"1,2,3\n" * (size // 6 // 22)
    return b"".join(gzip.compress(bytes([byte]), mtime=0) for byte in text)


def wide_header(size: int) -> bytes:
    """A header of very many columns, and a row beneath it."""
    names = b"user,item,rating" + b",a" * (size // 4)
    return names + b"\n" + b"1,2,3" + b",1" * (size // 4) + b"\n"


def wide_header_of_names(size: int) -> bytes:
    """A header of very many distinct names."""
    names = b"".join(b",c%07d" % number for number in range(size // 9))
    return b"user,item,rating" + names + b"\n1,2,3\n"


def wide_rows_of_nothing(size: int) -> bytes:
    """Rows that go on with very many empty cells."""
    return _HEADER + (b"1,2,3" + b"," * (size // 4) + b"\n") * 4


def wide_rows(size: int) -> bytes:
    """Rows without a header, of very many cells."""
    return (b"1,2,3" + b",1" * (size // 8) + b"\n") * 4


def json_keys(size: int) -> bytes:
    """A line of JSON with very many names, between rows of the usual ones."""
    row = b'{"user": 1, "item": 2, "rating": 3}\n'
    keys = b"".join(b', "k%07d": 1' % number for number in range(size // 15))
    return row + row.rstrip(b"}\n") + keys + b"}\n" + row


def json_shapes(size: int) -> bytes:
    """Lines of JSON of which each has another set of names."""
    rows = (
        b'{"user": 1, "item": 2, "rating": 3, "k%07d": 1}\n' % number
        for number in range(size // 50)
    )
    return b"".join(rows)


def json_depth(size: int) -> bytes:
    """A line of JSON that is nested as deeply as it is long."""
    row = b'{"user": 1, "item": 2, "rating": 3}\n'
    return row + b'{"user": ' + b"[" * size + b"\n" + row


def blank_start(size: int) -> bytes:
    """White space before the first row."""
    return b"\n" * size + b"1,2,3\n"


def long_number(size: int) -> bytes:
    """A row whose rating is very many digits, and in the end none."""
    return _HEADER + b"1,2,3\n" * 9 + b"1,2," + b"1" * size + b"x\n"


def long_opening(size: int) -> bytes:
    """A first line that looks as if it named the separator, for as long as it can."""
    return b"sep=," + b"\t" * min(size // 12, 200_000) + b"x\n" + _HEADER + b"1,2,3\n"


def bad_rows(size: int) -> bytes:
    """Rows of which none can be used, each for a reason of its own."""
    return _HEADER + b"".join(b"1,2,x%09d\n" % number for number in range(size // 15))


def empty_cells(size: int) -> bytes:
    """Rows of empty cells."""
    return _HEADER + b",,\n" * (size // 3)


TEXTS: Mapping[str, Callable[[int], bytes]] = MappingProxyType(
    {
        one.__name__: one
        for one in (
            *(unpaired_marks, marks_that_close_late, marks_that_never_close, lone_mark),
            *(members, members_of_a_byte, wide_header, wide_header_of_names, wide_rows),
            *(wide_rows_of_nothing, json_keys, json_shapes, json_depth),
            *(blank_start, long_number, long_opening, bad_rows, empty_cells),
        )
    }
)
"""By name: what makes a file of ratings of about so many bytes."""


def config_of_unknown_fields(fields: int) -> bytes:
    """Settings with very many names that nobody knows."""
    return json.dumps({f"field_{number:07d}": number for number in range(fields)}).encode()


def config_of_repeats(fields: int) -> bytes:
    """Settings with very many names, of which the last stands twice."""
    names = [*range(fields), fields - 1]
    return ("{" + ", ".join(f'"field_{one:07d}": 1' for one in names) + "}").encode()


def config_of_events(fields: int) -> bytes:
    """Settings with very many weights of events."""
    return json.dumps({"events": {f"event {one:07d}": 1 for one in range(fields)}}).encode()


def bomb(unpacked: int) -> bytes:
    """A gzip file of zeros, a thousand times smaller than the many times 16 MiB it unpacks to."""
    return gzip.compress(bytes(1 << 24), mtime=0) * (unpacked >> 24)


def model_archive(unpacked: int) -> bytes:
    """A ``model.tar.gz`` of a few KB whose model says that it unpacks to so many bytes, and does.

    The model is a zip of zeros, packed by the archive once more.
    """
    inner = io.BytesIO()
    with (
        zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("params", "w", force_zip64=True) as file,
    ):
        for _ in range(unpacked >> 20):
            file.write(bytes(1 << 20))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as outer:
        member = tarfile.TarInfo("model_algo-1")
        member.size = inner.tell()
        inner.seek(0)
        outer.addfile(member, inner)
    return out.getvalue()


def varint(number: int) -> bytes:
    """A number as thrift and Parquet's pages write it."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def page(body: bytes, rows: int = ROWS, encoding: int = PLAIN, size: int | None = None) -> bytes:
    """A page of values; ``size`` is what it claims to unpack to."""
    facts = struct({1: i32(rows), 2: i32(encoding), 3: i32(3), 4: i32(3)})
    head = {1: i32(0), 2: i32(len(body) if size is None else size), 3: i32(len(body))}
    return struct({**head, 5: facts})[1] + body


def dictionary(body: bytes, values: int) -> bytes:
    """A page of distinct values."""
    facts = struct({1: i32(values), 2: i32(PLAIN)})
    return struct({1: i32(2), 2: i32(len(body)), 3: i32(len(body)), 7: facts})[1] + body


def parquet_of(
    chunk: bytes = b"",
    physical: int = INT32,
    codec: int = UNCOMPRESSED,
    groups: int = 1,
    beside: Mapping[int, Written] = MappingProxyType({}),
    **claims: int,
) -> bytes:
    """A file whose three columns, user, item and rating, are the same bytes.

    Args:
        chunk: a column's pages; numbers from 0 on as a rule.
        physical: the type of its values.
        codec: what its pages are packed with.
        groups: how often its rows come.
        beside: further facts of each column chunk.
        claims: what its footer says otherwise: ``start``, ``packed``, ``unpacked``, ``values``,
            ``rows``.
    """
    chunk = chunk or page(NUMBERS)
    rows = claims.get("rows", ROWS)

    def column(name: str) -> Written:
        facts = {
            1: i32(physical),
            2: list_of([i32(PLAIN)]),
            3: list_of([binary(name.encode())]),
            4: i32(codec),
            5: i64(claims.get("values", rows)),
            6: i64(claims.get("unpacked", len(chunk))),
            7: i64(claims.get("packed", len(chunk))),
            9: i64(claims.get("start", 4)),
        }
        return struct(dict(sorted({2: i64(4), 3: struct(facts), **beside}.items())))

    root = struct({4: binary(b"schema"), 5: i32(len(NAMES))})
    leaves = [struct({1: i32(physical), 3: i32(0), 4: binary(name.encode())}) for name in NAMES]
    group = struct({1: list_of([column(name) for name in NAMES]), 2: i64(99), 3: i64(rows)})
    footer = {1: i32(1), 2: list_of([root, *leaves]), 3: i64(rows * groups)}
    body = chunk + bytes(2 * len(chunk))  # room for three such columns
    return ended(b"PAR1" + body, struct({**footer, 4: list_of([group] * groups)})[1])


def ended(body: bytes, footer: bytes) -> bytes:
    """A Parquet file's end behind its body."""
    return body + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def parquet_of_many_rows(rows: int) -> bytes:
    """A file of some 300 bytes that is so many equal rows."""
    run = b"\x01" + varint(rows << 1) + b"\0"
    pair = dictionary((7).to_bytes(4, "little"), 1) + page(run, rows, RLE_DICTIONARY)
    return parquet_of(pair, rows=rows)


def parquet_of_empty_texts(rows: int) -> bytes:
    """A file of texts of no character, a thousand times smaller than they are."""
    texts = bytes(4 * rows)
    packed = page(gzip.compress(texts, mtime=0), rows, size=len(texts))
    return parquet_of(packed, BYTE_ARRAY, GZIP, rows=rows)


def parquet_of_an_endless_page(unpacked: int) -> bytes:
    """A file with a page that claims to unpack to nothing, and unpacks to so many bytes."""
    return parquet_of(page(bomb(unpacked), size=0), codec=GZIP)


PARQUET: Mapping[str, Callable[[], bytes]] = MappingProxyType(
    {
        "a count of 2^40": lambda: parquet_of(rows=1 << 40),
        "a place at 2^66": lambda: parquet_of(start=1 << 66),
        "50 million rows in 300 bytes": lambda: parquet_of_many_rows(50_000_000),
        "an endless page": lambda: parquet_of_an_endless_page(4 << 30),
        "40 million empty texts": lambda: parquet_of_empty_texts(10_000_000),
    }
)
"""By name: a small Parquet file that asks for much."""
