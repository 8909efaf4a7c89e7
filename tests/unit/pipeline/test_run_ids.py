"""What a run is called, and what makes it another run."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommender.json_text import json_bytes, json_lines
from recommender.pipeline import runs
from recommender.pipeline.run_files import RunFiles, refusal_key
from recommender.pipeline.runs import attempt_id, execution_input, run_id, shards
from recommender.pipeline.snapshots import Snapshot, SnapshotFile

OLD = SnapshotFile("2026-09-20T08:00:00+00:00", "ratings/films/a.csv", "v1", "e1", 10)
NEW = SnapshotFile("2026-09-21T10:15:02+00:00", "ratings/films/b.csv", "v2", "e2", 20)
PLAN: dict[str, object] = {"image": "image", "hyperparameters": {"epochs": "40"}}


def id_of(*files: SnapshotFile, plan: dict[str, object] = PLAN, catalog: str = "films") -> str:
    return run_id(Snapshot.of(catalog, files), plan)


def test_a_run_is_named_after_its_newest_file_and_a_digest() -> None:
    assert re.fullmatch(r"20260921t101502-[0-9a-f]{10}", id_of(OLD, NEW))


def test_names_sort_by_the_time_of_the_newest_file() -> None:
    assert id_of(OLD) < id_of(OLD, NEW)


def test_times_are_compared_in_utc() -> None:
    elsewhere = replace(NEW, last_modified="2026-09-21T12:15:02+02:00")
    assert id_of(elsewhere).startswith("20260921t101502-")


def test_the_order_in_which_files_are_listed_does_not_matter() -> None:
    assert id_of(OLD, NEW) == id_of(NEW, OLD)


@pytest.mark.parametrize(
    "other",
    [
        id_of(OLD),
        id_of(OLD, replace(NEW, version_id="v3")),
        id_of(OLD, replace(NEW, etag="e3")),
        id_of(OLD, replace(NEW, key="ratings/films/c.csv")),
        id_of(OLD, NEW, plan={**PLAN, "image": "another"}),
        id_of(OLD, NEW, plan={**PLAN, "hyperparameters": {"epochs": "41"}}),
        id_of(OLD, NEW, catalog="books"),
    ],
    ids=["fewer files", "version", "content", "key", "image", "hyperparameters", "catalog"],
)
def test_whatever_shapes_the_model_makes_another_run(other: str) -> None:
    assert other != id_of(OLD, NEW)


def test_new_code_makes_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before = id_of(OLD, NEW)
    monkeypatch.setattr(runs, "CODE_VERSION", "0.0.0-test")
    assert id_of(OLD, NEW) != before


def test_a_plan_is_compared_by_what_it_says_and_not_by_its_order() -> None:
    turned = dict(reversed(PLAN.items()))
    assert list(turned) != list(PLAN)
    assert id_of(OLD, plan=turned) == id_of(OLD)


def test_attempts_have_names_of_their_own() -> None:
    assert [attempt_id("run", attempt) for attempt in (1, 2, 11)] == ["run", "run-2", "run-11"]


def test_files_are_applied_by_time_and_then_by_key() -> None:
    twin = replace(NEW, key="ratings/films/a2.csv")
    assert Snapshot.of("films", [NEW, twin, OLD]).files == (OLD, twin, NEW)


def test_the_newest_of_several_catalog_files_counts() -> None:
    config = [
        replace(OLD, key="catalogs/films/config.json"),
        replace(NEW, key="catalogs/films/config.json.bak"),
    ]
    snapshot = Snapshot.of("films", [*config, OLD, NEW])
    found = snapshot.catalog_file("config")
    assert found is not None
    assert found.last_modified == NEW.last_modified
    assert snapshot.catalog_file("items") is None
    assert snapshot.rating_files() == [OLD, NEW]


def test_every_prefix_that_a_job_reads_ends_with_a_slash() -> None:
    files = RunFiles("films", "run1")
    for prefix in (files.root, files.train, files.test, files.model):
        assert prefix.endswith("/")
        assert not RunFiles("films", "run10").root.startswith(prefix)


def test_all_files_of_a_run_lie_under_its_root() -> None:
    files = RunFiles("films", "run1")
    names = [name for name in vars(RunFiles) if isinstance(vars(RunFiles)[name], property)]
    keys = [getattr(files, name) for name in names] + [files.recommendations(7)]
    assert len(keys) > 10
    assert all(key.startswith("runs/films/run1/") for key in keys)
    assert len(set(keys)) == len(keys)


def test_each_version_of_a_file_is_refused_for_itself() -> None:
    keys = {refusal_key("films", file, {}) for file in (OLD, NEW, replace(OLD, version_id="v9"))}
    assert len(keys) == 3
    assert all(re.fullmatch(r"refused/films/[0-9a-f]{64}\.json", key) for key in keys)


@given(st.integers(0, 500), st.integers(1, 60))
def test_shards_cover_every_user_once(n_users: int, size: int) -> None:
    cut = shards(n_users, size)
    covered = [user for one in cut for user in range(one["first"], one["last"])]
    assert covered == list(range(n_users))
    assert [one["number"] for one in cut] == list(range(len(cut)))
    assert all(1 <= one["last"] - one["first"] <= size for one in cut)


def test_equal_starts_of_a_catalog_have_equal_inputs() -> None:
    assert execution_input("films", 20, 30) == {
        "catalog": "films",
        "settleSeconds": 20,
        "pollSeconds": 30,
    }


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=5))
def test_any_json_can_be_kept_and_read_again(value: object) -> None:
    assert json.loads(json_bytes(value)) == value


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "é", "\u2028", '"\\'])
def test_what_utf8_cannot_hold_is_kept_all_the_same(text: str) -> None:
    assert json.loads(json_bytes({"text": text})) == {"text": text}
    (line,) = json_lines([{"text": text}]).decode().removesuffix("\n").split("\n")
    assert json.loads(line) == {"text": text}


def test_equal_values_are_kept_as_equal_bytes() -> None:
    assert json_bytes({"b": 1, "a": "é"}) == json_bytes({"a": "é", "b": 1})
    assert "é".encode() in json_bytes({"a": "é"})
