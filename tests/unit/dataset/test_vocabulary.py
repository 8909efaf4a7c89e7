"""Which feature column belongs to which id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import DamagedArtifactError


def test_integer_ids_are_ordered_by_value() -> None:
    vocabulary = Vocabulary.of(
        ["10", "9", "1", "-3", "100"], ["2", "02", "1", "0002", "00002", "002"]
    )
    assert vocabulary.users == ("-3", "1", "9", "10", "100")
    assert vocabulary.items == ("1", "00002", "0002", "002", "02", "2")


def test_ids_that_are_not_all_integers_are_ordered_by_their_characters() -> None:
    assert Vocabulary.of(["10", "9", "a"], ["é", "z", "B"]).users == ("10", "9", "a")
    assert Vocabulary.of(["1"], ["é", "z", "B"]).items == ("B", "z", "é")


@pytest.mark.parametrize("other", ["1.0", "+2", " 2", "٢", "--2", "-"])
def test_only_plain_digits_are_integers(other: str) -> None:
    assert Vocabulary.of(["10", "9", other], ["1"]).users == tuple(sorted(["10", "9", other]))


@given(st.lists(st.text()), st.lists(st.integers().map(str)), st.randoms())
def test_the_vocabulary_depends_on_the_ids_alone(users, items, random) -> None:  # type: ignore[no-untyped-def]
    one = Vocabulary.of(users, items)
    random.shuffle(users)
    other = Vocabulary.of(users * 2, reversed(items))
    assert one == other
    assert one.sha256() == other.sha256()


@given(st.lists(st.text(), unique=True), st.lists(st.text(), unique=True))
def test_a_vocabulary_survives_json(users: list[str], items: list[str]) -> None:
    vocabulary = Vocabulary(tuple(users), tuple(items))
    again = Vocabulary.from_json(vocabulary.to_json())
    assert again == vocabulary
    assert again.to_json() == vocabulary.to_json()


def test_columns_are_users_first_then_items() -> None:
    vocabulary = Vocabulary(("u", "v"), ("x", "y", "z"))
    assert vocabulary.dimension == 5
    assert vocabulary.user_numbers == {"u": 0, "v": 1}
    assert vocabulary.item_numbers == {"x": 0, "y": 1, "z": 2}


def test_the_fingerprint_tells_users_from_items() -> None:
    assert Vocabulary(("a",), ()).sha256() != Vocabulary((), ("a",)).sha256()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"users": [], "items": []}',
        b'{"version": 2, "users": [], "items": []}',
        b'{"version": 1, "users": []}',
        b'{"version": 1, "users": "ab", "items": []}',
        b'{"version": 1, "users": [1], "items": []}',
        b'{"version": 1, "users": ["a", "a"], "items": []}',
    ],
)
def test_what_is_not_a_vocabulary_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedArtifactError, match="vocabulary"):
        Vocabulary.from_json(data)
