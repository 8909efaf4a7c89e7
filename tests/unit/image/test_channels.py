"""A channel's files become rows and labels, or a sentence for the user."""

import numpy as np
import pytest
from factorization_machines.errors import InvalidChannelError, UnsupportedJobError
from factorization_machines.job.channels import channels_of_job, read_channel
from factorization_machines.process.paths import Paths
from recommender.features import FeatureRows
from recommender.hyperparameters.parsing import parse_hyperparameters
from recommender.recordio.writing import write_rows

DIMENSION = 8


def settings(predictor_type="binary_classifier", feature_dim=DIMENSION, **others):
    return parse_hyperparameters(
        {
            "feature_dim": str(feature_dim),
            "num_factors": "2",
            "predictor_type": predictor_type,
            **others,
        }
    )


def rows_of(*lists, value=1.0):
    """One row per list of columns."""
    counts = [len(columns) for columns in lists]
    return FeatureRows(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        columns=np.array([c for columns in lists for c in columns], np.int64),
        values=np.full(sum(counts), value, np.float32),
        dimension=DIMENSION,
    )


def recorded(*lists, labels, value=1.0):
    labels = None if labels is None else np.array(labels, np.float32)
    return write_rows(rows_of(*lists, value=value), labels)


def refusal(folder, given=None):
    with pytest.raises(InvalidChannelError) as caught:
        read_channel(folder, "train", given or settings())
    return str(caught.value)


def test_files_are_read_in_the_order_of_their_paths(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "c.pbr").write_bytes(recorded([3, 4, 5], labels=[1]))
    (tmp_path / "b" / "z.pbr").write_bytes(recorded([2], [], labels=[0, 1]))
    (tmp_path / "a.pbr").write_bytes(recorded([0, 1], labels=[0]))
    (tmp_path / "_SUCCESS").write_bytes(b"")

    found = read_channel(tmp_path, "train", settings())

    assert found.rows.columns.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.rows.offsets.tolist() == [0, 2, 3, 3, 6]
    assert found.labels.tolist() == [0, 0, 1, 1]


def test_a_channel_without_files_is_refused(tmp_path):
    assert refusal(tmp_path) == "channel train: nothing to read (no files)"


def test_a_channel_of_empty_files_is_refused(tmp_path):
    (tmp_path / "part-0").write_bytes(b"")

    assert refusal(tmp_path) == "channel train: nothing to read (1 files, all empty)"


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "good").write_bytes(recorded([1], labels=[1]))
    (tmp_path / "half").write_bytes(recorded([1], labels=[1])[:-6])

    assert refusal(tmp_path).startswith("channel train, half: cannot be read as RecordIO-protobuf")


def test_another_dimension_than_feature_dim_is_refused_with_both(tmp_path):
    (tmp_path / "rows").write_bytes(recorded([1], labels=[1]))

    found = refusal(tmp_path, settings(feature_dim=9))

    assert found == "channel train, rows: rows have 8 columns, but feature_dim is 9"


def test_records_without_labels_are_refused(tmp_path):
    (tmp_path / "rows").write_bytes(recorded([1], [2], labels=None))

    assert refusal(tmp_path) == "channel train, rows: records carry no labels"


@pytest.mark.parametrize("label", [2.0, -1.0, 0.5, float("nan")])
def test_a_label_that_is_neither_0_nor_1_is_refused_for_a_classifier(tmp_path, label):
    (tmp_path / "rows").write_bytes(recorded([1], [2], [3], labels=[1, label, label]))

    assert refusal(tmp_path) == (
        f"channel train, rows: record 1: the label is {label:g}, "
        "but binary_classifier takes 0 and 1 only (2 such of 3)"
    )


@pytest.mark.parametrize("label", [float("nan"), float("inf")])
def test_a_label_that_is_not_finite_is_refused_for_a_regressor(tmp_path, label):
    (tmp_path / "rows").write_bytes(recorded([1], [2], labels=[3.5, label]))

    found = refusal(tmp_path, settings("regressor"))

    assert "record 1: the label is" in found
    assert "must be finite" in found


def test_a_feature_that_is_not_finite_is_refused(tmp_path):
    (tmp_path / "rows").write_bytes(recorded([1], [2], labels=[0, 1], value=float("nan")))

    assert refusal(tmp_path) == "channel train, rows: record 0: a feature is nan"


def test_channels_come_from_the_job_or_else_from_the_folders(tmp_path):
    paths = Paths(tmp_path)
    paths.channel("train").mkdir(parents=True)

    assert channels_of_job(paths, {}) == ("train",)
    assert channels_of_job(paths, {"train": {}, "test": {}}) == ("train", "test")


def test_a_job_without_a_train_channel_is_refused(tmp_path):
    with pytest.raises(InvalidChannelError, match="the job has no such channel"):
        channels_of_job(Paths(tmp_path), {"test": {}})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"train": {}, "validation": {}}, "channel validation: only train and test are known"),
        ({"train": {"TrainingInputMode": "Pipe"}}, "channel train: input mode Pipe"),
        ({"train": {"ContentType": "text/csv"}}, "channel train: content type text/csv"),
    ],
)
def test_a_channel_that_cannot_be_honoured_is_refused(tmp_path, config, expected):
    with pytest.raises(UnsupportedJobError, match=expected):
        channels_of_job(Paths(tmp_path), config)


def test_a_classifier_with_a_like_threshold_takes_ratings(tmp_path):
    (tmp_path / "rows").write_bytes(recorded([1], [2], labels=[3.5, 5]))

    found = read_channel(tmp_path, "train", settings(like_threshold=4))

    assert found.labels.tolist() == [3.5, 5]
