"""Side features from the bucket to the channels, and to the model that is evaluated and served."""

import json

import numpy as np
import pytest
from recommender.aws import storage
from recommender.dataset.vocabulary import Vocabulary
from recommender.errors import InvalidConfigError, MalformedItemsError
from recommender.model.artifact import write_artifact
from recommender.model.machine import FactorizationMachine, score
from recommender.pipeline.run_files import RunFiles
from recommender.recordio.reading import read_rows
from recommender.serving import side_features
from recommender.steps import evaluations

from functions.encode_ratings import app
from testbed import films
from testbed.runs import admit, upload_films
from testbed.stage import Stage

CONFIG = {"features": {"items": {"mood": {}}, "users": {"age": {"bounds": [30, 50]}}}}
MOODS = {item: "dark|slow" if at % 3 else "light" for at, item in enumerate(films.ITEMS)}
AGES = {user: 20 + 5 * at for at, user in enumerate(films.USERS)}


def upload_sides(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", json.dumps(CONFIG))
    rows = [f"{item},Film {item},{mood}" for item, mood in MOODS.items()]
    stage.upload(films.ITEMS_KEY, "\n".join(["item,title,mood", *rows]))
    rows = [f"{user};{age}" for user, age in AGES.items()]
    stage.upload("catalogs/films/users.csv", "\n".join(["user_id;age", *rows]))


def encode(stage: Stage) -> RunFiles:
    event = {"catalog": "films", "execution": admit(stage)["execution"]}
    return RunFiles("films", stage.run("EncodeRatings", app.lambda_handler, event)["runId"])


def features_of(user: str, item: str) -> dict[str, float]:
    age = AGES[user]
    bucket = "below 30" if age < 30 else "from 30" if age < 50 else "from 50"
    moods = MOODS[item].split("|")
    return {
        user: 1.0,
        item: 1.0,
        f"user.age={bucket}": 1.0,
        **{f"item.mood={mood}": 1 / len(moods) for mood in moods},
    }


def test_rows_carry_the_features_of_their_user_and_their_item(stage: Stage) -> None:
    upload_sides(stage)
    files = encode(stage)
    vocabulary = Vocabulary.from_json(stage.kept(files.vocabulary))
    names = vocabulary.users + vocabulary.items + vocabulary.features
    for name in ("train", "test"):
        rows, _ = read_rows(stage.kept(f"{files.root}{name}/part-00000.pbr"))
        assert rows.dimension == vocabulary.dimension == len(names)
        found = [
            {names[c]: float(v) for c, v in zip(rows.columns[a:b], rows.values[a:b], strict=True)}
            for a, b in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)
        ]
        assert found == [features_of(*pair) for pair in films.pairs(name)]
    plan = stage.kept_json(files.plan)
    assert plan["models"]["like"]["feature_dim"] == str(len(names))
    assert [(one["side"], one["column"], one["kind"]) for one in plan["features"]] == [
        ("user", "age", "number"),
        ("item", "mood", "several"),
    ]


def test_the_folded_model_answers_as_the_endpoint_does_on_full_rows(stage: Stage) -> None:
    upload_sides(stage)
    files = encode(stage)
    vocabulary = Vocabulary.from_json(stage.kept(files.vocabulary))
    rng = np.random.default_rng(5)
    machine = FactorizationMachine(
        0.5,
        rng.normal(size=vocabulary.dimension).astype(np.float32),
        rng.normal(size=(vocabulary.dimension, 4)).astype(np.float32),
        "binary_classifier",
    )
    key = files.model + "job/output/model.tar.gz"
    stage.s3.put_object(Bucket=stage.artifacts, Key=key, Body=write_artifact(machine, {}))
    model = evaluations.folded(stage.artifacts, files, f"s3://{stage.artifacts}/{key}", vocabulary)
    users, items = (
        part.reshape(-1) for part in np.indices((len(vocabulary.users), len(vocabulary.items)))
    )
    full = side_features.read(stage.artifacts, files, vocabulary).rows(users, items)
    np.testing.assert_allclose(
        model.score_pairs(users, items), score(full, machine), rtol=1e-5, atol=1e-5
    )


GIBBS = {"hyperparameters": {"solver": "gibbs"}}


def test_the_sampler_gets_ratings_as_labels_and_the_verdict_likes(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", json.dumps({**GIBBS, "like_threshold": 3}))
    files = encode(stage)
    for name in ("train", "test"):
        _, labels = read_rows(stage.kept(f"{files.root}{name}/part-00000.pbr"))
        assert labels is not None
        assert labels.tolist() == [films.rating(*pair) for pair in films.pairs(name)]
    pairs = storage.read_arrays(stage.artifacts, files.pairs)
    expected = [films.rating(*pair) >= 3 for pair in films.pairs("test")]
    assert pairs["test_labels"].tolist() == pairs["test_likes"].tolist() == expected
    assert stage.kept_json(files.plan)["models"]["like"]["like_threshold"] == "3"


def test_features_are_found_out_and_reported(stage: Stage) -> None:
    upload_sides(stage)
    stage.upload("catalogs/films/config.json", json.dumps(GIBBS))
    rows = [f"{user};{'member' if at % 2 else 'guest'};{user}@x" for at, user in enumerate(AGES)]
    rows += [f"other{n};member;other{n}@x" for n in range(8)]
    stage.upload("catalogs/films/users.csv", "\n".join(["user_id;status;mail", *rows]))
    plan = stage.kept_json(encode(stage).plan)
    told = {(one["side"], one["column"]): one for one in plan["features"]}
    assert told["user", "status"]["kind"] == "category"
    assert told["user", "mail"]["none"].startswith("it has")
    assert told["item", "title"]["none"] == "it is the title"
    sizes = [len(films.USERS), len(films.ITEMS)]
    sizes += [one["features"] for one in plan["features"] if "features" in one]
    assert plan["models"]["like"]["field_sizes"] == ",".join(map(str, sizes))
    assert plan["models"]["like"]["feature_dim"] == str(sum(sizes))


def test_a_file_of_titles_alone_gives_titles_and_no_features(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", json.dumps(GIBBS))
    stage.upload(films.ITEMS_KEY, "".join(f"{item}|Film {item}\n" for item in films.ITEMS))
    files = encode(stage)
    assert stage.kept_json(files.titles)["242"] == "Film 242"
    assert stage.kept_json(files.plan)["features"] == []


def test_a_file_of_features_alone_gives_features_and_no_titles(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", json.dumps({"features": {"items": {"mood": {}}}}))
    stage.upload(films.ITEMS_KEY, "item,mood\n242,dark\n")
    files = encode(stage)
    assert stage.kept_json(files.titles) == {}
    assert [one["column"] for one in stage.kept_json(files.plan)["features"]] == ["mood"]


@pytest.mark.parametrize("text", ["item,mood\n242,dark\n", '{"item": "242", "mood": "dark"}\n'])
def test_a_file_without_titles_that_nothing_is_learned_from_does_no_harm(
    stage: Stage, text: str
) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", json.dumps({"features": {}}))
    stage.upload(films.ITEMS_KEY, text)
    files = encode(stage)
    assert stage.kept_json(files.titles) == {}
    assert stage.kept_json(files.plan)["features"] == []


def test_features_of_a_file_that_is_not_there_end_the_run_before_any_cost(stage: Stage) -> None:
    upload_films(stage)
    stage.upload("catalogs/films/config.json", json.dumps(CONFIG))
    with pytest.raises(InvalidConfigError, match=r"\$.features.users: wants features"):
        encode(stage)


def test_features_of_a_column_that_is_not_there_are_refused(stage: Stage) -> None:
    upload_sides(stage)
    stage.upload("catalogs/films/users.csv", "user,years\nanna,20\n")
    with pytest.raises(MalformedItemsError, match="user column 'age'; the columns are 'years'"):
        encode(stage)
