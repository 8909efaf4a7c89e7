"""The same files make the same bytes: at any time of the day, in any process, in any locale."""

import hashlib
import json
import os
import subprocess
import sys
import time

import pytest

from functions.encode_ratings import app
from testbed import films, runs
from testbed import stage as stages
from testbed.stage import Stage
from testbed.template import ROOT

CONFIG = {"features": {"items": {"mood": {}}, "users": {"age": {}}}, "training": {"shards": 2}}
YEAR = 365 * 86_400.0


def upload(stage: Stage) -> None:
    """Files of which every kind of object follows: shards, features, titles, rejects.

    Ratings go up in the order of their keys: files of one second are ordered by key, and
    whether a second ends between two of them must not matter.
    """
    bad = ["anna,242,many", "anna,,5", "anna,b+b,nan", "o,z,1"]
    stage.upload("ratings/films/more.csv", "\n".join(["user,item,rating", *bad]))
    runs.upload_films(stage)
    stage.upload("catalogs/films/config.json", json.dumps(CONFIG))
    moods = [f"{item},Film {item},{'dark|slow|odd'[at:]}" for at, item in enumerate(films.ITEMS)]
    stage.upload(films.ITEMS_KEY, "\n".join(["item,title,mood", *moods]))
    ages = [f"{user},{20 + 5 * at}" for at, user in enumerate(films.USERS)]
    stage.upload("catalogs/films/users.csv", "\n".join(["user,age", *ages]))


def encode(stage: Stage, execution: str) -> dict[str, bytes]:
    """Encode, and take everything that was written, by its place in the run."""
    event = {"catalog": "films", "execution": execution}
    run_id = stage.run("EncodeRatings", app.lambda_handler, event)["runId"]
    root = f"runs/films/{run_id}/"
    return {key.removeprefix(root): stage.kept(key) for key in stage.listing("runs/")}


def test_the_time_at_which_a_run_is_made_is_not_in_its_files(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(stage)
    execution = runs.admit(stage)["execution"]
    before = encode(stage, execution)
    now, localtime = time.time, time.localtime
    monkeypatch.setattr(time, "time", lambda: now() + YEAR)
    monkeypatch.setattr(time, "localtime", lambda at=None: localtime(at or time.time()))
    assert encode(stage, execution) == before
    assert {name.split("/")[0] for name in before} == {
        "plan.json",
        "ranking",
        "rejects",
        "test",
        "train",
        "vocabulary",
    }
    assert "vocabulary/features.npz" in before


def told() -> str:
    """What a run of a process of its own wrote, without what names the process's bucket."""
    with stages.aws(), stages.set_up() as stage:
        upload(stage)
        written = encode(stage, runs.admit(stage)["execution"])
    plan = json.loads(written.pop("plan.json"))
    del plan["snapshot"], plan["execution"]
    written["plan.json"] = json.dumps(plan).encode()
    return json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in written.items()})


def test_neither_the_order_of_sets_nor_the_locale_is_in_the_files_of_a_run() -> None:
    found = []
    for seed, locale in (("1", "C"), ("2", "C.UTF-8"), ("3", "tr_TR.UTF-8")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": f"UTC-{seed}"}
        program = f"import runpy; print(runpy.run_path({__file__!r})['told']())"
        child = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        found.append(json.loads(child.stdout.splitlines()[-1]))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 8
