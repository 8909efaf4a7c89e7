"""What a scoring is called, and where its files lie."""

import pytest
from recommender.pipeline.scoring.files import ScoringFiles, execution_name
from recommender.pipeline.snapshots import SnapshotFile


def file(key: str, version: str = "v1") -> SnapshotFile:
    return SnapshotFile("2026-11-27T10:00:00+00:00", key, version, "etag", 10)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("pairs.csv", "pairs"),
        ("my.pairs.v2.csv.gz", "my.pairs.v2"),
        ("pairs", "pairs"),
        ("some pairs (1).parquet", "some-pairs-1"),
        ("été.jsonl", "t"),
        ("日本.csv", "pairs"),
        ("-._x.csv", "x"),
        ("x" * 300 + ".csv", "x" * 80),
    ],
)
def test_the_folder_bears_the_files_name_as_far_as_it_can_stand_anywhere(
    name: str, stem: str
) -> None:
    found = ScoringFiles.of("films", file(f"scoring/films/deep/{name}"))
    assert found.root.startswith(f"scores/films/{stem}-")
    assert len(found.name) == len(stem) + 11


def test_another_version_or_another_place_is_another_scoring() -> None:
    files = [
        file("scoring/films/pairs.csv"),
        file("scoring/films/pairs.csv", "v2"),
        file("scoring/films/pairs.csv.gz"),
        file("scoring/films/a/pairs.csv"),
    ]
    assert len({ScoringFiles.of("films", one).root for one in files}) == len(files)
    assert len({execution_name("films", one) for one in files}) == len(files)
    assert ScoringFiles.of("films", files[0]) == ScoringFiles.of("films", file(files[0].key))


def test_an_execution_can_have_its_name() -> None:
    name = execution_name("c" * 32, file("scoring/" + "c" * 32 + "/é.csv"))
    assert len(name) <= 80  # that of Step Functions
    assert name.isascii()


def test_what_is_not_for_readers_of_scores_lies_where_they_do_not_look() -> None:
    files = ScoringFiles("films", "pairs-0")
    inner = [files.plan, files.pairs(7), files.rows(7), files.answers(7)]
    assert all(key.removeprefix(files.root).startswith("_work/") for key in inner)
    shown = [files.part(7), files.rejects, files.manifest, files.done]
    assert len({*inner, *shown}) == len(inner) + len(shown)
    assert (
        files.answers(7) == files.all_answers + files.rows(7).removeprefix(files.all_rows) + ".out"
    )
