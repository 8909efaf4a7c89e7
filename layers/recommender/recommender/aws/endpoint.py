"""SageMaker's runtime: ask one production variant, and no other, for scores."""

import json

import numpy as np
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from recommender.aws.clients import error_code, passing_troubles, sagemaker_runtime
from recommender.errors import EndpointFailedError
from recommender.observability import logger
from recommender.recordio.wire import RECORDIO_PROTOBUF

MAX_BODY_BYTES = 6_291_456
"""Source: SageMaker Runtime API reference, InvokeEndpoint, as it was longest; it may take more."""


class VariantMovedError(Exception):
    """The endpoint serves another variant by now: an update came in between."""


def score(endpoint: str, variant: str, body: bytes) -> NDArray[np.float64]:
    """Score rows of RecordIO-protobuf.

    Args:
        variant: which model must answer: its columns are the ones that ``body`` uses.
        body: at most `MAX_BODY_BYTES`.
    Returns:
        ``(n,)`` scores: probabilities of a classifier, ratings of a regressor.
    Raises:
        VariantMovedError: the endpoint has no such variant (any more).
        EndpointFailedError: the container refused or broke.
    """
    with passing_troubles("sagemaker:InvokeEndpoint"):
        try:
            answer = sagemaker_runtime().invoke_endpoint(
                EndpointName=endpoint,
                TargetVariant=variant,
                ContentType=RECORDIO_PROTOBUF,
                Accept="application/json",
                Body=body,
            )
        except ClientError as error:
            if error_code(error) in ("ValidationError", "ValidationException"):
                raise VariantMovedError(endpoint, variant) from error
            if error_code(error) == "ModelError":
                # Its words may quote paths and insides of the container: they are for the log.
                logger.warning("the container failed", extra={"told": str(error)[:2000]})
                reason = "its container could not score; its log says why"
                raise EndpointFailedError(endpoint, reason) from error
            raise
    predictions = json.loads(answer["Body"].read())["predictions"]
    return np.array([prediction["score"] for prediction in predictions], dtype=np.float64)
