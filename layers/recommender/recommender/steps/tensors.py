"""Write what a run trains on, and what its later steps need to know."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial

import numpy as np

from recommender.aws import storage
from recommender.catalog.config import CatalogConfig
from recommender.dataset import encoding
from recommender.dataset.deduplication import TEST, TRAIN
from recommender.dataset.encoding import Dataset, Side
from recommender.dataset.ranking_rows import RankingRows, kept_out
from recommender.json_text import json_lines
from recommender.lookahead import ahead
from recommender.model_names import LIKE, RANKING
from recommender.pipeline.hyperparameters import factorizes_weights, learns_from_ratings
from recommender.pipeline.run_files import RunFiles
from recommender.pipeline.snapshots import Snapshot
from recommender.ratings.scales import Scale
from recommender.recordio.wire import RECORDIO_PROTOBUF
from recommender.steps.inputs import Inputs
from recommender.steps.progress import Report, silent


def write(
    bucket: str,
    files: RunFiles,
    inputs: Inputs,
    dataset: Dataset,
    models: Mapping[str, Mapping[str, str]],
    report: Report = silent,
    threads: Executor | None = None,
) -> dict[str, int]:
    """Write channels, vocabulary, titles, pairs and rejects of a run.

    Args:
        models: model -> its job's hyperparameters, which tell what the channels' labels are to be.
        threads: write what does not depend on each other side by side.

    Returns:
        Bytes of the channels: ``train_bytes``, ``test_bytes``, ``ranking_bytes``; 0 of a model
        that is not trained.
    """
    sizes = {"train_bytes": 0, "test_bytes": 0, "ranking_bytes": 0}
    both = LIKE in models and RANKING in models

    def write_ranking() -> int:
        rows = RankingRows(dataset, inputs.config.ranking, kept_out(dataset.vocabulary))
        weighted = factorizes_weights(models[RANKING])
        # Beside the other channels it may not wait for threads of which it takes one itself.
        return _write_ranking(bucket, files, rows, None if both else threads, weighted=weighted)

    beside = threads.submit(write_ranking) if threads and both else None
    if LIKE in models:
        as_rated = learns_from_ratings(models[LIKE])
        shards = inputs.config.train_shards
        sizes |= _write_channels(bucket, files, shards, dataset, report, as_rated=as_rated)
    if RANKING in models:
        sizes["ranking_bytes"] = beside.result() if beside else write_ranking()
    writes = _smaller_files(bucket, files, inputs, dataset)
    for _ in ahead(lambda write: write(), writes, threads):
        pass
    return sizes


def _smaller_files(
    bucket: str, files: RunFiles, inputs: Inputs, dataset: Dataset
) -> Sequence[Callable[[], object]]:
    """Everything beside the channels: what writes it, the longest first."""
    vocabulary, features = dataset.vocabulary, dataset.features
    rejects = [asdict(reject) for reject in inputs.rejects]
    writes = [
        partial(storage.write_columns, bucket, files.pairs, _pairs(inputs, dataset)),
        partial(storage.write_columns, bucket, files.seen, _seen(dataset)),
        partial(storage.write, bucket, files.vocabulary, vocabulary.to_json(), "application/json"),
        partial(storage.write_json, bucket, files.titles, inputs.titles),
        partial(storage.write, bucket, files.rejects, json_lines(rejects), "application/x-ndjson"),
    ]
    if features.dimension:
        writes.append(partial(storage.write_arrays, bucket, files.features, features.to_arrays()))
    return writes


def _write_channels(
    bucket: str, files: RunFiles, shards: int, dataset: Dataset, report: Report, *, as_rated: bool
) -> dict[str, int]:
    names = [f"{files.train}part-{shard:05d}.pbr" for shard in range(shards)]
    written = 0
    with ExitStack() as stack:
        train = [
            stack.enter_context(storage.Upload(bucket, key, RECORDIO_PROTOBUF)) for key in names
        ]
        test = storage.Upload(bucket, f"{files.test}part-00000.pbr", RECORDIO_PROTOBUF)
        stack.enter_context(test)
        for side, shard, records in dataset.records(shards, as_rated=as_rated):
            (train[shard] if side == TRAIN else test).write(records)
            written += len(records)
            figures = {"bytes": written, "rows": dataset.encoded_rows, "of_rows": dataset.rows_read}
            report("writing", figures)
    return {"train_bytes": sum(one.size for one in train), "test_bytes": test.size}


def _write_ranking(
    bucket: str, files: RunFiles, rows: RankingRows, threads: Executor | None, *, weighted: bool
) -> int:
    with storage.Upload(bucket, f"{files.ranking}part-00000.pbr", RECORDIO_PROTOBUF) as upload:
        for records in rows.weighted(threads) if weighted else rows.sampled(threads=threads):
            upload.write(records)
    return upload.size


def _pairs(inputs: Inputs, dataset: Dataset) -> Iterator[storage.Column]:
    """The rows of both sides as numbers, column by column."""
    config = inputs.config
    for name, side in (("train", TRAIN), ("test", TEST)):
        size = dataset.rows_of(side)

        def blocks(side: int = side) -> Iterator[Side]:
            return dataset.blocks(side)

        yield storage.Column(f"{name}_users", "<i4", size, (part.users for part in blocks()))
        yield storage.Column(f"{name}_items", "<i4", size, (part.items for part in blocks()))
        labels = (encoding.labels(part.ratings, config) for part in blocks())
        yield storage.Column(f"{name}_labels", "<f4", size, labels)
        if RANKING in config.models:
            scale = dataset.lowest, dataset.highest
            weights = (config.ranking.weigh(part.ratings, *scale) for part in blocks())
            yield storage.Column(f"{name}_weights", "<f4", size, weights)
    if RANKING in config.models:
        liked = (encoding.likes(part.ratings, config) for part in dataset.blocks(TRAIN))
        yield storage.Column("train_likes", "|b1", dataset.rows_of(TRAIN), liked)
    likes = (encoding.likes(part.ratings, config) for part in dataset.blocks(TEST))
    yield storage.Column("test_likes", "|b1", dataset.rows_of(TEST), likes)


def _likes_told(config: CatalogConfig, scale: Scale) -> dict[str, object]:
    because = "config.json says so" if config.like_threshold_given else scale.told
    return {"likeThreshold": config.like_threshold, "because": because}


def _seen(dataset: Dataset) -> Iterator[storage.Column]:
    offsets = np.concatenate(([0], np.cumsum(dataset.seen_counts)))
    seen, likes = dataset.seen_items, dataset.item_likes
    yield storage.Column("offsets", "<i8", offsets.size, [offsets])
    yield storage.Column("items", "<i8", seen.size, seen.chunks())
    yield storage.Column("item_likes", "<i8", likes.size, [likes])


def write_plan(
    bucket: str,
    files: RunFiles,
    *,
    execution: str,
    changed: Mapping[str, object],
    snapshot: Snapshot,
    refused: list[dict[str, object]],
    inputs: Inputs,
    dataset: Dataset,
    sizes: Mapping[str, int],
    image: str,
    models: Mapping[str, Mapping[str, str]],
    withdrawn: int,
) -> dict[str, object]:
    """Write the plan: what was read, what came of it, how to train.

    Args:
        changed: settings that differ from the serving run's, by name.
        withdrawn: how many users of the serving runs have no ratings any more.
    """
    counts = {**dataset.counts, **sizes}
    storage.write_json(
        bucket,
        files.plan,
        {
            "execution": execution,
            "snapshot": snapshot.to_dict()["files"],
            "refusedFiles": refused,
            "files": inputs.files,
            "sideFiles": [join.to_dict() for join in inputs.joins],
            "warnings": inputs.warnings,
            "passedOver": [asdict(one) for one in inputs.passed_over],
            "feedback": inputs.config.feedback,
            "feedbackBecause": inputs.feedback_because,
            "config": inputs.config.to_dict(),
            "changedSettings": changed,
            "withdrawnUsers": withdrawn,
            "image": image,
            "models": {name: dict(given) for name, given in models.items()},
            "counts": counts,
            "scale": {
                "lowest": dataset.lowest,
                "highest": dataset.highest,
                **({} if inputs.scale is None else _likes_told(inputs.config, inputs.scale)),
            },
            "rejects": {
                "count": inputs.rows.rejects.count,
                "kept": len(inputs.rejects),
                "by_reason": inputs.rows.rejects.by_reason,
            },
            "features": [*dataset.features.columns, *dataset.left_out],
            "vocabularySha256": dataset.vocabulary.sha256(),
        },
    )
    return dict(counts)
