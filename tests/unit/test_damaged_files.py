"""Two thousand damaged files: each is read with its rejects or refused by name, losing nothing."""

import gzip
import json
import random
import time

import pytest
from recommender import ratings
from recommender.encoding import RunRows
from recommender.errors import MalformedRatingsError
from recommender.ratings import Ratings, parse_ratings, read_ratings

KEY = "ratings/films/damaged"
FILES = 2000
ROUNDS = 20  # the files come in so many tests, so that a failure names a few
SLOWEST = 2.0  # seconds


def lines_of(rng: random.Random, form: str) -> list[bytes]:
    rows = []
    for _ in range(rng.randint(5, 60)):
        user, item = rng.randint(1, 99), rng.randint(1, 999)
        rating, moment = rng.choice(["1", "3.5", "4", "5.0"]), rng.randint(1, 2**31)
        if form == "json":
            row = {"user": user, "item": f"i{item}", "rating": float(rating), "ts": moment}
            rows.append(json.dumps(row).encode())
        else:
            rows.append(form.join([str(user), str(item), rating, str(moment)]).encode())
    return rows


FORMS = ["\t", "::", ",", ";", "|", "json"]
NOISE = [b"\0", b'"', b"\xff", b"\n", b"\r\n", b",", b"\t", b"::", b"nan", b"-", b"9" * 30, b" "]


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


def intact(found: Ratings, lines: list[bytes], original: list[bytes], form: str) -> None:
    """Every line that the damage left alone must be a row, as an independent reader reads it."""
    known = set(original)
    rows = list(zip(found.users, found.items, found.values.tolist(), strict=True))
    by_line = dict(zip(found.lines.tolist(), rows, strict=True))
    for number, line in enumerate(lines, 1):
        if line in known:
            if form == "json":
                facts = json.loads(line)
                expected = (str(facts["user"]), facts["item"], facts["rating"])
            else:
                user, item, rating, _ = line.decode().split(form)
                expected = (user, item, float(rating))
            assert by_line[number] == expected


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
        begun = time.monotonic()
        try:
            found, rejects = parse_ratings(KEY, data, 0.5)
        except MalformedRatingsError:
            continue
        finally:
            assert time.monotonic() - begun < SLOWEST
        accepted += 1
        text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        if b'"' in text and form not in ("::", "json"):
            continue  # a quotation mark may rightly make one row of several lines
        lines = [line.removesuffix(b"\r") for line in text.split(b"\n")]
        filled = sum(bool(line.decode("utf-8", "replace").strip()) for line in lines)
        header = filled - len(found) - len(rejects)
        assert header in (0, 1) if form == "json" else header == 0
        intact(found, lines, original, form)
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
            patched.setattr(ratings, "_BLOCK_BYTES", 64)
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
            rows.users.column(part.users),
            rows.items.column(part.items),
            *(column.tolist() for column in (part.values, part.timestamps, part.lines)),
            strict=True,
        )
    ]
    return found, rows.rejects.kept, rows.rejects.by_reason
