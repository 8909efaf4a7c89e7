"""Small catalogs of every kind, through all steps and the image's own training.

Whatever a catalog is made of, its run ends well or with an error that names what its owner can
change; and whatever the encoder lets pass, the image can train on and the evaluation can read.
"""

import gzip
import json
import random
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from factorization_machines.job.train import train
from factorization_machines.process.paths import Paths
from recommender import errors

from testbed import stage as stages
from testbed.machine import State
from testbed.runs import Outside, admit, run
from testbed.stage import Stage

ROUNDS, CATALOGS = 5, 12  # a failure names its round
INPUT_ERRORS = {error.__name__ for error in errors.InputError.__subclasses__()}

IDS = {
    "numbers": "{}",
    "large numbers": "9{:011d}",
    "texts": "id {} é",
    "leading zeros": "{:03d}",
}
SCALES = {
    "stars": ((1, 2, 3), (4, 5)),
    "halves": ((0.5, 2.5), (4.5, 5.0)),
    "likes": ((0,), (1,)),
    "all the same": ((5,), (5,)),
}
FORMS = ("csv", "gz", "tab", "dat", "json", "semicolons")
EVENTS = {"buy": 3, "look": 0.5, "pass by": 0}
COLUMNS = {
    "title": ("Babe (1995)", "Heat", "Fargo, or: not"),
    "genre": ("a", "b", ""),
    "tags": ("x|y", "y", "", "x|y|z"),
    "age": ("1", "20", "35", "?"),
    "price": ("0.5", "1.25", "99", "100.75", "7"),
    "released": ("1999-01-02", "2005-05-05", ""),
    "same": ("q",),
    "empty": ("",),
}


@dataclass(frozen=True)
class Films:
    """A catalog to upload, and how many ratings are in it."""

    files: Mapping[str, bytes]
    ratings: int


def made_up(seed: int) -> Films:
    rng = random.Random(seed)
    users, items = (
        [rng.choice(list(IDS.values())).format(n) for n in range(rng.choice((2, 9, 30, 30, 30)))]
        for _ in range(2)
    )
    scale = SCALES[rng.choice((*SCALES, "stars", "stars", "stars"))]
    files, ratings, columns = {}, 0, {}
    for noun, ids in (("item", items), ("user", users)):
        if rng.random() < 0.6:
            columns[noun] = rng.sample(sorted(COLUMNS), rng.randint(1, 4))
            files[f"catalogs/films/{noun}s.csv"] = side_file(rng, noun, ids, columns[noun])
    for number in range(rng.choice((1, 1, 2))):
        folder = "test/" if number and rng.random() < 0.5 else ""
        rows = [one_rating(rng, users, items, scale) for _ in range(rng.choice((20, 90, 200)))]
        files[f"ratings/films/{folder}{number}"] = rating_file(rng.choice(FORMS), rows)
        ratings += len(rows)
    files["catalogs/films/config.json"] = json.dumps(settings(rng, columns)).encode()
    return Films(files, ratings)


def made_up_without_ratings(seed: int) -> Films:
    """A catalog of what users did: with or without counts, events and times."""
    rng = random.Random(-1 - seed)
    users, items = (
        [rng.choice(list(IDS.values())).format(n) for n in range(rng.choice((2, 9, 30, 30, 30)))]
        for _ in range(2)
    )
    told = [name for name in ("count", "event", "timestamp") if rng.random() < 0.5]
    files, rows = {}, 0
    for number in range(rng.choice((1, 1, 2))):
        folder = "test/" if number and rng.random() < 0.5 else ""
        size = rng.choice((20, 90, 200))
        files[f"ratings/films/{folder}{number}"] = interactions(rng, users, items, told, size)
        rows += size
    chosen = settings(rng, {})
    chosen["ranking"] = {"hyperparameters": {"solver": "als", "num_factors": 4}}
    chosen.pop("gate", None)
    if rng.random() < 0.3:
        chosen["feedback"] = "implicit"
    if rng.random() < 0.5:
        chosen["half_life_days"] = rng.choice((0.001, 30, 10_000))
    if "event" in told and rng.random() < 0.7:
        chosen["events"] = EVENTS
    files["catalogs/films/config.json"] = json.dumps(chosen).encode()
    return Films(files, rows)


def interactions(
    rng: random.Random, users: Sequence[str], items: Sequence[str], told: Sequence[str], size: int
) -> bytes:
    names = ("user", "item", *told)
    rows = []
    for _ in range(size):
        user = rng.randrange(len(users))
        # Half of what users do is to their taste.
        item = rng.choice((rng.randrange(len(items)), user % 2))
        facts = {
            "count": rng.choice((0, 1, 2.5, 1000)),
            "event": rng.choice(list(EVENTS)),
            "timestamp": rng.choice((1, 1000)) * rng.randrange(10**9),
        }
        rows.append((users[user], items[item], *(facts[name] for name in told)))
    if rng.random() < 0.3:
        return json_lines(names, rows)
    separator = rng.choice((",", "\t", ";"))
    return "".join(separator.join(map(str, row)) + "\n" for row in (names, *rows)).encode()


def one_rating(
    rng: random.Random, users: Sequence[str], items: Sequence[str], scale: Sequence[Any]
) -> tuple[Any, ...]:
    user, item = rng.randrange(len(users)), rng.randrange(len(items))
    return users[user], items[item], rng.choice(scale[(user + item) % 2]), rng.randrange(10**9)


def rating_file(form: str, rows: Sequence[tuple[Any, ...]]) -> bytes:
    if form == "json":
        names = ("user", "item", "rating", "timestamp")
        return "".join(
            json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows
        ).encode()
    if form == "semicolons":
        text = "item;rating;user\r\n" + "".join(
            f'"{item}";{str(rating).replace(".", ",")};{user}\r\n' for user, item, rating, _ in rows
        )
        return text.encode()
    separator = {"tab": "\t", "dat": "::"}.get(form, ",")
    header = "user_id,item_id,rating,timestamp\n" if separator == "," else ""
    data = (header + "".join(separator.join(map(str, row)) + "\n" for row in rows)).encode()
    return gzip.compress(data) if form == "gz" else data


def json_lines(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode()


def side_file(rng: random.Random, noun: str, ids: Sequence[str], columns: Sequence[str]) -> bytes:
    known = [one for one in ids if rng.random() < 0.9] + ["never rated"]
    rows = [[one, *(rng.choice(COLUMNS[name]) for name in columns)] for one in known]
    names = [noun, *columns]
    if rng.random() < 0.3:
        return "".join(
            json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows
        ).encode()
    return "".join("\t".join(row) + "\n" for row in (names, *rows)).encode()


def settings(rng: random.Random, columns: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "hyperparameters": {
            "epochs": 2,
            "num_factors": rng.choice((1, 4)),
            "solver": rng.choice(("gibbs", "adam")),
            "draws": 4,
            "burn_in": 1,
            "chains": rng.choice((1, 2)),
            "implicit_features": rng.choice(("true", "false")),
        }
    }
    if rng.random() < 0.5:
        chosen["ranking"] = {"hyperparameters": {"solver": "als", "num_factors": 4}}
    else:
        chosen["ranking"] = {"hyperparameters": {"epochs": 2, "num_factors": 2}}
    several: dict[str, Sequence[Any]] = {
        "predictor_type": ("binary_classifier", "regressor"),
        "like_threshold": (4, 3.5, 0),
        "split": ({"fraction": 0.3}, {"last_per_user": 1}, {"last_per_user": 50}),
        "top_n": (1, 1000),
        "training": ({"shards": 3},),
        "models": (["ranking"], ["like"]),
        "gate": ({"tolerance": 1}, {"minimum": {"hit_rate": 0.1}}, {"baseline_margin": 0.5}),
    }
    chosen |= {name: rng.choice(some) for name, some in several.items() if rng.random() < 0.4}
    if rng.random() < 0.4:
        chosen["features"] = {
            f"{noun}s": {name: rng.choice(({}, {"kind": "category"}, {"kind": "several"}))}
            for noun, names in columns.items()
            for name in names[:1]
        }
    return chosen


class Image(Outside):
    """Trains as the image does, on what the job was given."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        super().__init__(stage)
        self._folder = folder

    def train(self, data: State) -> None:
        job = data["training"]["trainingJobName"]
        paths = Paths(self._folder / job)
        request = self.stage.sagemaker.jobs[job]
        for channel in request["InputDataConfig"]:
            source = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self._download(paths.channel(channel["ChannelName"]), source)
        paths.hyperparameters.parent.mkdir(parents=True)
        paths.hyperparameters.write_text(json.dumps(request["HyperParameters"]))
        train(paths)
        packed = BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.add(paths.model, ".")
        self.stage.sagemaker.complete(job, packed.getvalue())

    def _download(self, folder: Path, uri: str) -> None:
        folder.mkdir(parents=True)
        prefix = uri.removeprefix(f"s3://{self.stage.artifacts}/")
        for key in self.stage.listing(prefix):
            (folder / key.rpartition("/")[2]).write_bytes(self.stage.kept(key))


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[None]:
    with stages.aws():
        yield


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_any_catalog_is_served_or_refused_for_a_reason_of_its_own(
    tmp_path: Path, round_: int
) -> None:
    served = 0
    for number in range(CATALOGS):
        seed = round_ * CATALOGS + number
        films = made_up_without_ratings(seed) if number % 4 == 3 else made_up(seed)
        with stages.set_up() as stage:
            served += ends_well(stage, films, Image(stage, tmp_path / str(number)))
    assert served > CATALOGS // 4


def ends_well(stage: Stage, films: Films, image: Image) -> bool:
    """Run a catalog; say whether a model was made."""
    for key, data in films.files.items():
        stage.upload(key, data)
    done = run(stage, admit(stage, next(iter(films.files)))["execution"], image)
    if done.status == "FAILED":
        assert done.error["Error"] in INPUT_ERRORS, done.error
        return False
    assert done.status == "SUCCEEDED"
    manifest = stage.kept_json(f"runs/films/{done.data['encoding']['runId']}/manifest.json")
    counts = manifest["counts"]
    parts = ("train_rows", "test_rows", "rejected", "duplicates_replaced", "held_out_from_train")
    weightless = counts.get("weightless", 0)
    assert counts["rows"] == sum(counts[part] for part in parts) + weightless == films.ratings
    return True
