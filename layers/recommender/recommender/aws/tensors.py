"""Write what a run trains on, and what its later steps need to know."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from recommender import encoding
from recommender.aws import storage
from recommender.aws.inputs import Inputs
from recommender.encoding import Dataset
from recommender.jobs import RECORDIO
from recommender.ranking import SeenItems
from recommender.runs import RunFiles, Snapshot, json_lines


def write(bucket: str, files: RunFiles, inputs: Inputs, dataset: Dataset) -> dict[str, int]:
    """Write channels, vocabulary, titles, pairs and rejects of a run.

    Returns:
        Bytes of the train and the test channel: ``train_bytes``, ``test_bytes``.
    """
    config, vocabulary = inputs.config, dataset.vocabulary
    sizes: dict[str, int] = {}
    for name, side in (("train", dataset.train), ("test", dataset.test)):
        records = encoding.encode(side, vocabulary, config)
        prefix = files.train if name == "train" else files.test
        storage.write(bucket, f"{prefix}part-00000.pbr", records, RECORDIO)
        sizes[f"{name}_bytes"] = len(records)
    storage.write(bucket, files.vocabulary, vocabulary.to_json(), "application/json")
    storage.write_json(bucket, files.titles, inputs.titles)
    storage.write_arrays(
        bucket,
        files.pairs,
        {
            "train_users": dataset.train.users,
            "train_items": dataset.train.items,
            "train_labels": encoding.labels(dataset.train.ratings, config),
            "test_users": dataset.test.users,
            "test_items": dataset.test.items,
            "test_labels": encoding.labels(dataset.test.ratings, config),
            "test_likes": dataset.test.ratings >= config.like_threshold,
        },
    )
    seen = SeenItems.from_pairs(
        np.concatenate([dataset.train.users, dataset.test.users]),
        np.concatenate([dataset.train.items, dataset.test.items]),
        len(vocabulary.users),
    )
    storage.write_arrays(
        bucket,
        files.seen,
        {"offsets": seen.offsets, "items": seen.items, "item_likes": dataset.item_likes},
    )
    rows = [asdict(reject) for reject in inputs.rejects]
    storage.write(bucket, files.rejects, json_lines(rows), "application/x-ndjson")
    return sizes


def write_plan(
    bucket: str,
    files: RunFiles,
    *,
    execution: str,
    snapshot: Snapshot,
    refused: list[dict[str, object]],
    inputs: Inputs,
    dataset: Dataset,
    sizes: Mapping[str, int],
    image: str,
    hyperparameters: Mapping[str, str],
) -> dict[str, object]:
    """Write the plan: what was read, what came of it, how to train."""
    counts = {**dataset.counts, **sizes}
    storage.write_json(
        bucket,
        files.plan,
        {
            "execution": execution,
            "snapshot": snapshot.to_dict()["files"],
            "refusedFiles": refused,
            "config": inputs.config.to_dict(),
            "image": image,
            "hyperparameters": {
                **hyperparameters,
                **inputs.config.hyperparameters,
                "feature_dim": str(dataset.vocabulary.dimension),
                "predictor_type": inputs.config.predictor_type,
            },
            "counts": counts,
            "vocabularySha256": dataset.vocabulary.sha256(),
        },
    )
    return dict(counts)
