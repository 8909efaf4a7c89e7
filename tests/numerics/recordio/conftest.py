"""The SageMaker Python SDK's own writer and reader."""

import io
import warnings
from collections.abc import Callable

import pytest
from recommender.features import FeatureRows


@pytest.fixture(scope="session")
def sdk():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sagemaker.amazon.common as common
    return common


@pytest.fixture(scope="session")
def sdk_write(sdk) -> Callable[..., bytes]:
    from scipy.sparse import csr_matrix

    def write(rows: FeatureRows, labels) -> bytes:
        stream = io.BytesIO()
        matrix = csr_matrix(
            (rows.values, rows.columns, rows.offsets), shape=(len(rows), rows.dimension)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sdk.write_spmatrix_to_sparse_tensor(stream, matrix, labels)
        return stream.getvalue()

    return write
