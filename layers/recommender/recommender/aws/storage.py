"""S3: whole objects in, whole objects out."""

import io
import json
from collections.abc import Mapping
from typing import cast

import numpy as np
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from recommender.aws.clients import error_code, passing_troubles, s3
from recommender.runs import SnapshotFile, json_bytes

_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})


def uri(bucket: str, key: str) -> str:
    """Name an object or a prefix."""
    return f"s3://{bucket}/{key}"


def split_uri(name: str) -> tuple[str, str]:
    """Take a name of :func:`uri` apart."""
    bucket, _, key = name.removeprefix("s3://").partition("/")
    return bucket, key


def list_latest(bucket: str, prefix: str) -> list[SnapshotFile]:
    """List the latest version of every object under a prefix; deleted objects are left out.

    Empty objects whose key ends in ``/`` are the folders that consoles make: left out too.
    """
    found: list[SnapshotFile] = []
    with passing_troubles("s3:ListObjectVersions"):
        for page in (
            s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        ):
            for version in page.get("Versions", []):
                if version["IsLatest"] and not version["Key"].endswith("/"):
                    modified = version["LastModified"].replace(microsecond=0).isoformat()
                    found.append(
                        SnapshotFile(
                            last_modified=modified,
                            key=version["Key"],
                            version_id=version["VersionId"],
                            etag=version["ETag"].strip('"'),
                            size=version["Size"],
                        )
                    )
    return found


def list_keys(bucket: str, prefix: str) -> set[str]:
    """List the keys under a prefix."""
    with passing_troubles("s3:ListObjectsV2"):
        pages = s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {one["Key"] for page in pages for one in page.get("Contents", [])}


def read_version(bucket: str, file: SnapshotFile) -> bytes:
    """Read exactly the version that a snapshot names."""
    with passing_troubles("s3:GetObjectVersion"):
        answer = s3().get_object(Bucket=bucket, Key=file.key, VersionId=file.version_id)
        return answer["Body"].read()


def read(bucket: str, key: str) -> bytes:
    """Read an object that must be there."""
    with passing_troubles("s3:GetObject"):
        return s3().get_object(Bucket=bucket, Key=key)["Body"].read()


def read_if_there(bucket: str, key: str) -> bytes | None:
    """Read an object, or learn that there is none."""
    try:
        return read(bucket, key)
    except ClientError as error:
        if error_code(error) in _ABSENT:
            return None
        raise


def read_json(bucket: str, key: str) -> dict[str, object]:
    """Read a JSON object that must be there."""
    return cast("dict[str, object]", json.loads(read(bucket, key)))


def read_json_if_there(bucket: str, key: str) -> dict[str, object] | None:
    """Read a JSON object, or learn that there is none."""
    data = read_if_there(bucket, key)
    return None if data is None else cast("dict[str, object]", json.loads(data))


def write(bucket: str, key: str, data: bytes, content_type: str) -> str:
    """Write a whole object and name it."""
    with passing_troubles("s3:PutObject"):
        s3().put_object(Bucket=bucket, Key=key, Body=data, ContentType=content_type)
    return uri(bucket, key)


def write_json(bucket: str, key: str, value: object) -> str:
    """Write a value as JSON and name it."""
    return write(bucket, key, json_bytes(value), "application/json")


def read_arrays(bucket: str, key: str) -> dict[str, NDArray[np.generic]]:
    """Read named arrays. Nothing is unpickled."""
    with np.load(io.BytesIO(read(bucket, key)), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_arrays(bucket: str, key: str, arrays: Mapping[str, NDArray[np.generic]]) -> str:
    """Write named arrays (numpy's ``.npz``)."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy types its own flag as any keyword
    return write(bucket, key, buffer.getvalue(), "application/octet-stream")
