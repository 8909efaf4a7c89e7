"""Four hundred files as programs write them: the rows that pandas or pyarrow, told how, reads."""

import pytest
from recommender.errors import MalformedRatingsError

from testbed.ratings.datasets import parse_ratings
from testbed.ratings.generated import generated

FILES = 400
A_TEST = 20


@pytest.mark.parametrize("first", range(0, FILES, A_TEST))
def test_files_are_read_as_others_read_them(first: int) -> None:
    for seed in range(first, first + A_TEST):
        file = generated(seed)
        expected, rejected = file.meaning()
        try:
            found, rejects = parse_ratings("a", file.data, 1.0)
        except MalformedRatingsError as error:
            pytest.fail(f"{file.name}: {error}")
        rows = zip(
            found.users, found.items, found.values.tolist(), found.timestamps.tolist(), strict=True
        )
        assert list(rows) == expected, file.name
        assert len(rejects) == rejected, file.name
