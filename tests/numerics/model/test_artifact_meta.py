"""What an archive says of its model in words: its kind, its sizes, how ratings become likes."""

import io
import json
import zipfile
from dataclasses import replace

import pytest
from recommender.errors import DamagedArtifactError
from recommender.model.artifact import read_model_zip, write_model_zip
from recommender.model.machine import LikeLink

from testbed.numerics.artifacts import WHERE, layout_1, make_machine, make_params, make_zip, meta


def test_how_ratings_become_likes_is_read_back_to_the_last_bit():
    link = LikeLink(0.1 + 0.2, -1 / 3)
    machine = replace(make_machine(predictor_type="regressor"), like_link=link)
    written = write_model_zip(machine, {"like_threshold": "4"})
    assert read_model_zip(written, WHERE).like_link == link
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        told = json.loads(archive.read("meta.json"))["training_parameters"]
    assert (float(told["like_scale"]), float(told["like_shift"])) == (link.scale, link.shift)


def test_numbers_instead_of_texts_tell_how_ratings_become_likes_too():
    told = meta(predictor_type="regressor", like_scale=1.5, like_shift=-5)
    machine = read_model_zip(make_zip(params=make_params(layout_1()), meta_json=told), WHERE)
    assert machine.like_link == LikeLink(1.5, -5.0)


def test_a_regressor_that_tells_nothing_of_likes_has_no_link():
    machine = read_model_zip(write_model_zip(make_machine(predictor_type="regressor"), {}), WHERE)
    assert machine.like_link is None


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"like_scale": "1.5"}, "like_scale without like_shift"),
        ({"like_shift": "1.5"}, "like_shift without like_scale"),
        ({"like_scale": "1.5", "like_shift": "nan"}, "like_shift 'nan', expected two finite"),
        ({"like_scale": "-inf", "like_shift": "0"}, "like_scale '-inf'"),
        ({"like_scale": "1e999", "like_shift": "0"}, "like_scale '1e999'"),
        ({"like_scale": "much", "like_shift": "0"}, "like_scale 'much'"),
        ({"like_scale": None, "like_shift": "0"}, "like_scale 'None'"),
        ({"like_scale": "", "like_shift": "0"}, "like_scale ''"),
    ],
)
def test_a_like_link_that_is_half_there_or_no_number_is_refused(told, reason):
    told = meta(predictor_type="regressor", **told)
    with pytest.raises(DamagedArtifactError, match=reason) as caught:
        read_model_zip(make_zip(params=make_params(layout_1()), meta_json=told), WHERE)
    assert str(caught.value).startswith(f"{WHERE}: meta.json ")


def test_a_classifier_with_a_like_link_is_refused():
    told = meta(predictor_type="binary_classifier", like_scale="1", like_shift="0")
    with pytest.raises(DamagedArtifactError, match="predictor_type binary_classifier"):
        read_model_zip(make_zip(params=make_params(layout_1()), meta_json=told), WHERE)


def test_a_model_that_says_nothing_of_its_kind_is_a_classifier():
    machine = read_model_zip(make_zip(params=make_params(layout_1())), WHERE)
    assert machine.predictor_type == "binary_classifier"


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({"feature_dim": 6}, "feature_dim 6, and params have 5"),
        ({"num_factors": "64"}, "num_factors 64, and params have 3"),
        ({"predictor_type": "ranker"}, "ranker"),
    ],
)
def test_meta_that_contradicts_the_weights_is_refused(meta, reason):
    data = make_zip(
        params=make_params(layout_1()), meta_json=json.dumps({"training_parameters": meta}).encode()
    )
    with pytest.raises(DamagedArtifactError, match=reason):
        read_model_zip(data, WHERE)


@pytest.mark.parametrize(
    "meta", [b"{", b"\xff", b"[]", b'{"training_parameters": 3}', b"[" * 100_000]
)
def test_meta_that_is_no_object_is_refused(meta):
    with pytest.raises(DamagedArtifactError, match=r"meta\.json"):
        read_model_zip(make_zip(params=make_params(layout_1()), meta_json=meta), WHERE)


def test_numbers_in_meta_count_as_their_text():
    meta = {"training_parameters": {"feature_dim": 5, "predictor_type": "regressor", "eps": None}}
    data = make_zip(params=make_params(layout_1()), meta_json=json.dumps(meta).encode())
    assert read_model_zip(data, WHERE).predictor_type == "regressor"
