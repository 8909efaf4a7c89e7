"""Bodies of ``/invocations``: request bytes to feature rows, predictions to response bytes."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from recommender.errors import DamagedRecordError, InvalidRequestError
from recommender.features import FeatureRows, Float64s, with_distinct_columns
from recommender.recordio.reading import read_rows
from recommender.recordio.wire import RECORDIO_PROTOBUF
from recommender.recordio.writing import write_predictions

JSON = "application/json"
JSON_LINES = "application/jsonlines"


def decode_rows(body: bytes, content_type: str, dimension: int) -> FeatureRows:
    """Read the rows to predict.

    Args:
        body: the request.
        content_type: one of ``DECODERS``, without parameters.
        dimension: number of columns of the model.

    Returns:
        One row or more over ``dimension`` columns, distinct within a row; values finite.

    Raises:
        InvalidRequestError: saying which instance, and what was expected.

    Source:
        SageMaker developer guide, "Common data formats for inference".
    """
    rows = DECODERS[content_type](body, dimension)
    if not len(rows):
        raise InvalidRequestError("body", "holds no instances")
    finite = np.isfinite(rows.values)
    if not finite.all():
        raise InvalidRequestError(
            f"instance {_instance_of(int(finite.argmin()), rows.offsets)}",
            "a value is not finite as a 32-bit number",
        )
    return with_distinct_columns(rows)


def encode_predictions(
    scores: Float64s,
    labels: Float64s | None,
    content_type: str,
    like_probabilities: Float64s | None = None,
) -> bytes:
    """Write predictions, one an instance and in the same order.

    Args:
        scores: ``(n,)`` probabilities, or ratings.
        labels: ``(n,)`` 0.0 or 1.0 for a classifier, else none.
        content_type: one of ``ENCODERS``.
        like_probabilities: ``(n,)``, for a regressor that knows how its ratings become likes.

    Returns:
        The response. JSON numbers are written so that reading them gives the same float64.
    """
    return ENCODERS[content_type](scores, labels, like_probabilities)


def _decode_json(body: bytes, dimension: int) -> FeatureRows:
    document = _parse(body, "body")
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise InvalidRequestError("body", 'expected {"instances": [...]}')
    return _collect(instances, dimension)


def _decode_json_lines(body: bytes, dimension: int) -> FeatureRows:
    lines = [line for line in body.split(b"\n") if line.strip()]
    return _collect((_parse(line, f"instance {n}") for n, line in enumerate(lines)), dimension)


def _decode_recordio(body: bytes, dimension: int) -> FeatureRows:
    if not body:
        raise InvalidRequestError("body", "is empty")
    try:
        rows, _ = read_rows(body)
    except DamagedRecordError as error:
        raise InvalidRequestError("body", f"is not RecordIO-protobuf: {error}") from error
    if rows.dimension != dimension:
        raise InvalidRequestError(
            "body", f"rows have {rows.dimension} features, the model takes {dimension}"
        )
    return rows


def _parse(text: bytes, where: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(where, f"is not JSON: {error}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _collect(instances: Iterable[object], dimension: int) -> FeatureRows:
    """Gather instances; types are looked at once for all of them, which is what keeps it fast."""
    counts: list[int] = []
    columns: list[object] = []
    values: list[object] = []
    for number, instance in enumerate(instances):
        keys, numbers = _features(instance, dimension, f"instance {number}")
        counts.append(len(keys))
        columns += keys
        values += numbers
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
    _check_types(columns, (int,), offsets, "keys must be integers")
    _check_types(values, (int, float), offsets, "values must be numbers")
    outside = next(
        (n for n, column in enumerate(columns) if not 0 <= column < dimension),  # type: ignore[operator]
        None,
    )
    if outside is not None:
        raise InvalidRequestError(
            f"instance {_instance_of(outside, offsets)}",
            f"key {str(columns[outside])[:40]} is outside 0 to {dimension - 1}",
        )
    with np.errstate(over="ignore"):
        try:
            numbers32 = np.array(values, np.float64).astype(np.float32)
        except OverflowError as error:
            raise InvalidRequestError("body", "a value is too large for a number") from error
    return FeatureRows(offsets, np.array(columns, np.int64), numbers32, dimension)


def _features(
    instance: object, dimension: int, where: str
) -> tuple[Sequence[object], Sequence[object]]:
    """Columns and values of one instance, their element types not looked at yet."""
    holder: object = instance
    if isinstance(holder, dict) and "data" in holder:
        holder = holder["data"]
    features: object = holder.get("features") if isinstance(holder, dict) else None
    if isinstance(features, list):
        features = {"values": features}
    if not isinstance(features, dict) or not isinstance(features.get("values"), list):
        raise InvalidRequestError(
            where,
            'expected {"data": {"features": {"keys": [...], "shape": [n], "values": [...]}}}',
        )
    values: list[object] = features["values"]
    shape = features.get("shape")
    if "keys" not in features:
        if len(values) != dimension or shape not in (None, [dimension]):
            raise InvalidRequestError(
                where, f"{len(values)} dense values, the model takes {dimension} features"
            )
        keys = [column for column, value in enumerate(values) if value != 0]
        return keys, [values[column] for column in keys]
    if shape != [dimension] or isinstance(shape[0], bool):
        raise InvalidRequestError(
            where, f"shape is {str(shape)[:80]}, the model takes [{dimension}]"
        )
    sparse = features["keys"]
    if not isinstance(sparse, list) or len(sparse) != len(values):
        found = len(sparse) if isinstance(sparse, list) else "no list of"
        raise InvalidRequestError(where, f"{found} keys for {len(values)} values")
    return sparse, values


def _check_types(
    found: Sequence[object], allowed: tuple[type, ...], offsets: np.ndarray, reason: str
) -> None:
    # Exact types: to Python, true is an integer.
    if set(map(type, found)) <= set(allowed):
        return
    first = next(n for n, value in enumerate(found) if type(value) not in allowed)
    raise InvalidRequestError(
        f"instance {_instance_of(first, offsets)}", f"{reason}, found {str(found[first])[:40]!r}"
    )


def _instance_of(entry: int, offsets: np.ndarray) -> int:
    return int(np.searchsorted(offsets, entry, side="right")) - 1


def _predictions(
    scores: Float64s, labels: Float64s | None, likes: Float64s | None
) -> Iterator[dict[str, float]]:
    columns = {"score": scores, "predicted_label": labels, "like_probability": likes}
    given = {name: column.tolist() for name, column in columns.items() if column is not None}
    names = tuple(given)
    return (dict(zip(names, row, strict=True)) for row in zip(*given.values(), strict=True))


def _encode_json(scores: Float64s, labels: Float64s | None, likes: Float64s | None) -> bytes:
    return json.dumps({"predictions": list(_predictions(scores, labels, likes))}).encode()


def _encode_json_lines(scores: Float64s, labels: Float64s | None, likes: Float64s | None) -> bytes:
    lines = (json.dumps(prediction) + "\n" for prediction in _predictions(scores, labels, likes))
    return "".join(lines).encode()


DECODERS: dict[str, Callable[[bytes, int], FeatureRows]] = {
    JSON: _decode_json,
    JSON_LINES: _decode_json_lines,
    RECORDIO_PROTOBUF: _decode_recordio,
}
ENCODERS: dict[str, Callable[[Float64s, Float64s | None, Float64s | None], bytes]] = {
    JSON: _encode_json,
    JSON_LINES: _encode_json_lines,
    RECORDIO_PROTOBUF: write_predictions,
}
