"""Thousands of damaged files: each is read with its rejects or refused by name, losing nothing.

The oracles know nothing of the readers: they compare lines with those that the damage left alone,
and count.
"""

import gzip
import io
import json
import random
import time
from collections.abc import Callable
from functools import partial
from importlib import resources
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recommender.catalog.config import parse_config
from recommender.catalog.sheets import read_sheet
from recommender.catalog.side_tables import SideTable, table_of
from recommender.catalog.titles import titles_of
from recommender.dataset.encoding import RunRows
from recommender.errors import InvalidConfigError, MalformedItemsError, MalformedRatingsError
from recommender.formats import lines as text_lines
from recommender.ratings import reading as ratings
from recommender.ratings.reading import read_ratings
from recommender.ratings.rejects import Reject

from testbed.ratings.datasets import Ratings, ids_of, parse_ratings

KEY = "ratings/films/damaged"
FILES = 2000
ROUNDS = 20  # the files come in so many tests, so that a failure names a few
SLOWEST = 2.0  # seconds of this process alone

Row = tuple[str, str, float]


def lines_of(rng: random.Random, form: str) -> list[bytes]:
    """The lines of a file: rows, perhaps below a header."""
    rows = [] if form in PLAIN else [HEADERS[form]]
    for _ in range(rng.randint(5, 60)):
        user, item = rng.randint(1, 99), rng.randint(1, 999)
        rating, moment = rng.choice(["1", "3.5", "4", "5.0"]), rng.randint(1, 2**31)
        if form == "json":
            row = {"user": user, "item": f"i{item}", "rating": float(rating), "ts": moment}
            rows.append(json.dumps(row).encode())
        elif form == "quoted":
            rows.append(f'"user,{user}","i{item}","{rating}","{moment}"'.encode())
        elif form == "named":
            rows.append(f"{rating},{moment},{user},{item}".encode())
        else:
            rows.append(form.join([str(user), str(item), rating, str(moment)]).encode())
    return [row for row in rows if row]


PLAIN = ["\t", "::", ",", ";", "|"]
HEADERS = {
    "json": b"",
    "quoted": b'"user","item","rating","timestamp"',
    "named": b"stars,ts,uid,isbn",
}
FORMS = [*PLAIN, *HEADERS]
NOISE = [b"\0", b'"', b"\xff", b"\n", b"\r\n", b",", b"\t", b"::", b"nan", b"-", b"9" * 30, b" "]


def meant(line: bytes, form: str) -> Row:
    """Read one sound row, as simply as its form allows."""
    text = line.decode()
    if form == "json":
        facts = json.loads(text)
        return str(facts["user"]), facts["item"], facts["rating"]
    if form == "quoted":
        user, item, rating, _ = text[1:-1].split('","')
    elif form == "named":
        rating, _, user, item = text.split(",")
    else:
        user, item, rating, _ = text.split(form)
    return user, item, float(rating)


def damaged(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(6)
        if kind == 0 and out:
            out[at % len(out)] = rng.randrange(256)
        elif kind == 1:
            out[at:at] = rng.choice(NOISE)
        elif kind == 2:
            del out[at : at + rng.randint(1, 9)]
        elif kind == 3:
            out[at:at] = out[at : at + rng.randint(1, 200)]
        elif kind == 4 and rng.random() < 0.3:
            del out[at:]
        else:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 5)))
    return bytes(out)


def account_for(
    found: Ratings, rejects: list[Reject], lines: list[bytes], original: list[bytes], form: str
) -> None:
    """Every line is a row, a reject, blank, a header, or damaged and part of the row before it."""
    known = {line for line in original if line not in HEADERS.values()}
    rows = list(zip(found.users, found.items, found.values.tolist(), strict=True))
    by_line = dict(zip(found.lines.tolist(), rows, strict=True))
    rejected = {reject.line for reject in rejects}
    assert len(by_line) == len(found)
    assert len(rejected) == len(rejects)
    assert not rejected & set(by_line)
    quoted = False  # whether the row at hand may go over several lines
    first = True
    for number, line in enumerate(lines, 1):
        if line in known:
            assert by_line[number] == meant(line, form)
        if number in by_line or number in rejected:
            quoted = b'"' in line and form not in ("::", "json")
        elif line.decode("utf-8", "replace").strip():
            is_header = first and form in HEADERS
            assert is_header or quoted, line
        if line.decode("utf-8", "replace").strip():
            first = False


def parsed_in_time(data: bytes) -> tuple[Ratings, list[Reject]]:
    begun = time.process_time()
    try:
        return parse_ratings(KEY, data, 0.5)
    finally:
        assert time.process_time() - begun < SLOWEST


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_damaged_file_is_accepted_or_refused_and_loses_no_good_row(round_: int) -> None:
    rng = random.Random(round_)
    accepted = 0
    for _ in range(FILES // ROUNDS):
        form = rng.choice(FORMS)
        original = lines_of(rng, form)
        data = damaged(rng, b"\n".join(original) + b"\n")
        if rng.random() < 0.2:
            data = gzip.compress(data)
            data = damaged(rng, data) if rng.random() < 0.5 else data
        try:
            found, rejects = parsed_in_time(data)
        except MalformedRatingsError:
            continue
        accepted += 1
        text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        lines = [line.removesuffix(b"\r") for line in text.split(b"\n")]
        account_for(found, rejects, lines, original, form)
    assert accepted > FILES // ROUNDS // 3


@pytest.mark.parametrize("form", FORMS)
def test_the_pieces_in_which_a_file_arrives_change_nothing(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    rng = random.Random(form)
    for _ in range(30):
        original = lines_of(rng, form)
        data = damaged(rng, b"\n".join(original) + b"\n") + b"\n".join(original)
        with monkeypatch.context() as patched:
            outcomes = [streamed([data])]
            patched.setattr(text_lines, "_BLOCK_BYTES", 64)
            patched.setattr(ratings, "_SMALLEST_BLOCK", 32)
            size = rng.randint(1, 40)
            pieces = [data[at : at + size] for at in range(0, len(data), size)]
            outcomes += [streamed(pieces), streamed([data])]
        assert outcomes[0] == outcomes[1] == outcomes[2]


def streamed(pieces: list[bytes]) -> object:
    parts = []
    rows = RunRows()
    into = rows.builder(KEY, is_test=False)
    into._take = parts.append  # looks at the rows on their way
    try:
        read_ratings(iter(pieces), into, 0.9)
    except MalformedRatingsError as refused:
        return refused.reason, refused.line
    found = [
        row
        for part in parts
        for row in zip(
            ids_of(rows.users, part.users),
            ids_of(rows.items, part.items),
            *(column.tolist() for column in (part.values, part.timestamps, part.lines)),
            strict=True,
        )
    ]
    return found, rows.rejects.kept, rows.rejects.by_reason


DELTAS = {
    "use_dictionary": False,
    "compression": "none",
    "column_encoding": {"user": "DELTA_BINARY_PACKED", "item": "DELTA_BYTE_ARRAY"},
}
WAYS_TO_WRITE = {
    **{
        codec: {"compression": codec}
        for codec in ("none", "snappy", "zstd", "gzip", "lz4", "brotli")
    },
    "deltas": DELTAS,
    "delta lengths": {
        **DELTAS,
        "column_encoding": {"item": "DELTA_LENGTH_BYTE_ARRAY"},
        "data_page_version": "2.0",
    },
}


@pytest.mark.parametrize("way", WAYS_TO_WRITE)
def test_a_damaged_parquet_file_is_refused_or_has_all_its_rows(way: str) -> None:
    rng = random.Random(way)
    size = 300
    table = pa.table(
        {
            "user": [rng.randint(1, 99) for _ in range(size)],
            "item": [f"i{rng.randint(1, 999)}" for _ in range(size)],
            "rating": [rng.randint(1, 10) / 2 for _ in range(size)],
        }
    )
    accepted = 0
    for _ in range(100):
        out = io.BytesIO()
        pq.write_table(table, out, row_group_size=rng.choice([40, 300]), **WAYS_TO_WRITE[way])
        data = bytearray(out.getvalue())
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        cut = bytes(data[: rng.choice([len(data), len(data), rng.randrange(len(data))])])
        try:
            found, rejects = parsed_in_time(cut)
        except MalformedRatingsError:
            continue
        accepted += 1
        assert sorted([*found.lines.tolist(), *(reject.line for reject in rejects)]) == list(
            range(1, size + 1)
        )
    assert accepted > 5


def side_lines(rng: random.Random, form: str) -> list[bytes]:
    header = {",": b"id,title,kind", "|": b"id|title|kind", "json": b""}[form]
    rows = []
    for number in range(rng.randint(20, 60)):
        cells = [f"n{number}", f"Name {number}", rng.choice("abc")]
        if form == "json":
            rows.append(json.dumps(dict(zip(("id", "title", "kind"), cells, strict=True))).encode())
        else:
            rows.append(form.join(cells).encode())
    return [line for line in (header, *rows) if line]


def side_row(line: bytes, form: str) -> tuple[str, ...]:
    return tuple(json.loads(line).values()) if form == "json" else tuple(line.decode().split(form))


@pytest.mark.parametrize("form", [",", "|", "json"])
def test_a_damaged_side_file_is_refused_or_has_every_row_that_was_left_alone(form: str) -> None:
    rng = random.Random(form)
    accepted = 0
    for _ in range(150):
        original = side_lines(rng, form)
        data = damaged(rng, b"\n".join(original) + b"\n")
        known = set(original[form != "json" :])
        sound = [line.removesuffix(b"\r") for line in data.split(b"\n")]
        last = {side_row(line, form)[0]: side_row(line, form) for line in sound if line in known}
        changed = [line for line in sound if line not in known]
        if sum(line.count(b'"') for line in changed) > 1 and form != "json":
            continue  # two stray marks may be a title's that goes over several lines
        if form != "json" and original[0] not in sound:
            continue  # the cells are of other columns now
        if rng.random() < 0.3:
            data = gzip.compress(data)
        titles = accepted_by(partial(titles_in, data))
        table = accepted_by(partial(table_in, data))
        for one, (_, title, kind) in last.items():
            # A damaged row may name the same item, and the last of several stays.
            doubled = any(one.encode() in line for line in changed)
            if titles is not None and not doubled:
                assert titles[one] == title
            if table is not None and not doubled and "kind" in table.columns:
                assert table.rows[one][table.columns.index("kind")] == kind
        accepted += titles is not None
    assert accepted > 30


def titles_in(data: bytes) -> dict[str, str]:
    return titles_of(read_sheet(KEY, data, "item"))


def table_in(data: bytes) -> SideTable:
    return table_of(read_sheet(KEY, data, "item"))


def accepted_by(parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except MalformedItemsError:
        return None


def test_a_damaged_config_means_what_it_says_or_is_refused() -> None:
    rng = random.Random(5)
    schema = json.loads(
        resources.files("recommender.catalog").joinpath("schemas/config.schema.json").read_text()
    )
    config = {
        "like_threshold": 3.5,
        "top_n": 12,
        "hyperparameters": {"epochs": 60, "mini_batch_size": "100"},
        "gate": {"tolerance": 0.02, "minimum": {"auc": 0.7}},
        "columns": {"user": "uid", "item": "isbn"},
        "training": {"shards": 2},
    }
    accepted = 0
    for _ in range(400):
        data = json.dumps(config, indent=rng.choice([None, 1])).encode()
        at = rng.randrange(len(data))
        for _ in range(rng.randint(1, 2)):
            data = data[:at] + rng.choice([b"", b"1", b"0", b"x", b'"', b" "]) + data[at + 1 :]
            at = rng.randrange(len(data))
        try:
            found = parse_config("catalogs/films/config.json", data)
        except InvalidConfigError:
            continue
        accepted += 1
        said = json.loads(data)
        jsonschema.validate(said, schema)
        assert found.like_threshold == said.get("like_threshold", 4)
        assert found.top_n == said.get("top_n", 10)
        assert found.gate.minimum == said.get("gate", {}).get("minimum", {})
        assert found.train_shards == said.get("training", {}).get("shards", 1)
        assert found.hyperparameters == {
            name: str(value) for name, value in said.get("hyperparameters", {}).items()
        }
    assert accepted > 40
