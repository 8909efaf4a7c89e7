"""S3: objects in and out, whole or as streams."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from numpy.typing import NDArray

from recommender.aws.clients import error_code, passing_troubles, s3
from recommender.json_text import json_bytes
from recommender.observability import logger
from recommender.pipeline.snapshots import SnapshotFile

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

CHUNK_BYTES = 8 << 20
PART_BYTES = 16 << 20  # S3 takes 10,000 parts: 160 GB an object
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412"})


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


def list_folders(bucket: str, prefix: str) -> list[str]:
    """List the names directly under a prefix that end with a slash, without it, ascending."""
    with passing_troubles("s3:ListObjectsV2"):
        pages = (
            s3()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        )
        found = (one["Prefix"] for page in pages for one in page.get("CommonPrefixes", []))
        return sorted(one.removeprefix(prefix).rstrip("/") for one in found)


def read_version(bucket: str, file: SnapshotFile) -> bytes:
    """Read exactly the version that a snapshot names."""
    with passing_troubles("s3:GetObjectVersion"):
        answer = s3().get_object(Bucket=bucket, Key=file.key, VersionId=file.version_id)
        return answer["Body"].read()


def stream_version(bucket: str, file: SnapshotFile) -> Iterator[bytes]:
    """Read exactly the version that a snapshot names, a chunk at a time.

    Raises:
        ServiceUnavailableError: the connection broke; the step is tried again.
    """
    with passing_troubles("s3:GetObjectVersion"):
        body = s3().get_object(Bucket=bucket, Key=file.key, VersionId=file.version_id)["Body"]
    while True:
        with passing_troubles("s3:GetObjectVersion"):
            chunk = body.read(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


def read(bucket: str, key: str) -> bytes:
    """Read an object that must be there."""
    with passing_troubles("s3:GetObject"):
        return s3().get_object(Bucket=bucket, Key=key)["Body"].read()


def read_range(bucket: str, key: str, start: int, stop: int) -> bytes:
    """Read the bytes of an object from ``start`` to ``stop`` (exclusive).

    Raises:
        ServiceUnavailableError: the connection broke; the step is tried again.
    """
    return _part(bucket, key, f"{start}-{stop - 1}")[0]


def read_end(bucket: str, key: str, size: int) -> tuple[bytes, int]:
    """Read the last bytes of an object, ``size`` of them if it has so many; and how many it has."""
    return _part(bucket, key, f"-{size}")


def _part(bucket: str, key: str, which: str) -> tuple[bytes, int]:
    with passing_troubles("s3:GetObject"):
        answer = s3().get_object(Bucket=bucket, Key=key, Range=f"bytes={which}")
        data = answer["Body"].read()
    return data, int(answer["ContentRange"].rpartition("/")[2])


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


@dataclass(frozen=True)
class Found:
    """A JSON object as it was found, so that it can be replaced if it still is.

    Attributes:
        value: what it holds; None if there is no such object.
        etag: S3's mark of it.
    """

    value: dict[str, object] | None
    etag: str


def find_json(bucket: str, key: str) -> Found:
    """Read a JSON object together with S3's mark of it."""
    with passing_troubles("s3:GetObject"):
        try:
            answer = s3().get_object(Bucket=bucket, Key=key)
            data = answer["Body"].read()
        except ClientError as error:
            if error_code(error) in _ABSENT:
                return Found(None, "")
            raise
    return Found(cast("dict[str, object]", json.loads(data)), answer["ETag"])


def replace_json(bucket: str, key: str, found: Found, value: object) -> bool:
    """Write a JSON object in place of the one that was found.

    Returns:
        False if somebody else was faster: then nothing was written.
    """
    as_found: dict[str, str] = {"IfMatch": found.etag} if found.etag else {"IfNoneMatch": "*"}
    with passing_troubles("s3:PutObject"):
        try:
            s3().put_object(
                Bucket=bucket,
                Key=key,
                Body=json_bytes(value),
                ContentType="application/json",
                **as_found,  # type: ignore[arg-type]
            )
        except ClientError as error:
            if error_code(error) in _CHANGED:
                return False
            raise
    return True


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
    """Write named arrays (numpy's ``.npz``). Equal arrays give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(_undated(name), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    return write(bucket, key, buffer.getvalue(), "application/octet-stream")


def _undated(name: str) -> zipfile.ZipInfo:
    """Describe an array of an archive: with a date, equal arrays would make unequal archives."""
    return zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))


class Upload:
    """An object that is written piece by piece; it is there once the ``with`` block ends well.

    What is smaller than a part is put whole. A block that ends with an error leaves nothing
    behind, nor does an upload that S3 does not complete.
    """

    def __init__(self, bucket: str, key: str, content_type: str) -> None:
        """Prepare; nothing is sent before there is a part to send."""
        self.size = 0
        self._bucket, self._key, self._content_type = bucket, key, content_type
        self._pending = bytearray()
        self._upload_id = ""
        self._parts: list[CompletedPartTypeDef] = []

    def write(self, data: bytes) -> int:
        """Add bytes at the end."""
        self.size += len(data)
        self._pending += data
        while len(self._pending) >= PART_BYTES:
            self._send(bytes(memoryview(self._pending)[:PART_BYTES]))
            del self._pending[:PART_BYTES]
        return len(data)

    def flush(self) -> None:
        """Do nothing: whoever writes archives asks for it."""

    def _send(self, part: bytes) -> None:
        if not self._upload_id:
            with passing_troubles("s3:CreateMultipartUpload"):
                begun = s3().create_multipart_upload(
                    Bucket=self._bucket, Key=self._key, ContentType=self._content_type
                )
            self._upload_id = begun["UploadId"]
        number = len(self._parts) + 1
        with passing_troubles("s3:UploadPart"):
            sent = s3().upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=part,
            )
        self._parts.append({"ETag": sent["ETag"], "PartNumber": number})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abort()
            return
        try:
            self._finish()
        except BaseException:
            self._abort()
            raise

    def _finish(self) -> None:
        if not self._upload_id:
            write(self._bucket, self._key, bytes(self._pending), self._content_type)
            return
        if self._pending:
            self._send(bytes(self._pending))
        with passing_troubles("s3:CompleteMultipartUpload"):
            s3().complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},
            )

    def _abort(self) -> None:
        if not self._upload_id:
            return
        try:
            s3().abort_multipart_upload(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload_id
            )
        except (ClientError, BotoCoreError) as error:
            # The first error is the one to tell. The bucket's own rule ends abandoned uploads,
            # as it must when the function is killed.
            facts = {"key": self._key, "reason": str(error)}
            logger.warning("parts of an upload are left behind", extra=facts)


@dataclass(frozen=True)
class Column:
    """A long array that comes in pieces: ``size`` numbers of ``dtype`` in all."""

    name: str
    dtype: str
    size: int
    chunks: Iterable[NDArray[np.generic]]


def write_columns(bucket: str, key: str, columns: Iterable[Column]) -> str:
    """Write long arrays as `write_arrays` would, never holding one of them whole.

    Equal numbers give equal bytes.
    """
    with (
        Upload(bucket, key, "application/octet-stream") as upload,
        zipfile.ZipFile(cast("io.BytesIO", upload), "w") as archive,
    ):
        for column in columns:
            with archive.open(_undated(column.name), "w", force_zip64=True) as file:
                np.lib.format.write_array_header_1_0(
                    file,
                    {"descr": column.dtype, "fortran_order": False, "shape": (column.size,)},
                )
                for chunk in column.chunks:
                    file.write(np.ascontiguousarray(chunk, column.dtype).data.cast("B"))
    return uri(bucket, key)
