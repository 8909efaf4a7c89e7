"""S3, as far as jobs and endpoints touch it: prefixes down, files up."""

import functools
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.environment import region_of_environment
from local.sagemaker.faults import JobError, ValidationError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_URI = re.compile(r"s3://([^/]+)/?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Location:
    """A bucket, and a key or a prefix in it."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "Location":
        """Take an ``s3://`` URI apart.

        Raises:
            ValidationError: it is not one.
        """
        match = _URI.fullmatch(uri)
        if match is None:
            raise ValidationError(f"The local SageMaker reads s3:// URIs only, not {uri}")
        return cls(match[1], match[2])

    @property
    def uri(self) -> str:
        """The ``s3://`` URI."""
        return f"s3://{self.bucket}/{self.key}"

    def below(self, *parts: str) -> "Location":
        """The key made of this prefix and ``parts``."""
        return Location(self.bucket, "/".join((self.key.rstrip("/"), *parts)).lstrip("/"))


class Storage:
    """The object store behind ``AWS_ENDPOINT_URL``."""

    @functools.cached_property
    def _client(self) -> "S3Client":
        config = Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "max_attempts": 3},
            max_pool_connections=32,
        )
        return boto3.client("s3", region_name=region_of_environment(), config=config)

    def connect(self) -> None:
        """Make the client now, so that the first job does not wait for it."""
        _ = self._client

    def keys(self, prefix: Location) -> Iterator[str]:
        """Every key that begins with the prefix, in key order; folder markers left out.

        The prefix is a string, not a folder: ``train`` also matches ``train-old/``.
        """
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=prefix.bucket, Prefix=prefix.key):
            for found in page.get("Contents", []):
                if not found["Key"].endswith("/"):
                    yield found["Key"]

    def exists(self, location: Location) -> bool:
        """Whether there is such an object (or the store cannot be asked)."""
        try:
            self._client.head_object(Bucket=location.bucket, Key=location.key)
        except (ClientError, BotoCoreError):
            return False
        return True

    def download(self, location: Location, path: Path) -> None:
        """Write the object to ``path``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        body = self._client.get_object(Bucket=location.bucket, Key=location.key)["Body"]
        with path.open("wb") as target:
            shutil.copyfileobj(body, target, 1 << 20)

    def upload(self, path: Path, location: Location) -> None:
        """Write the file to the object.

        Raises:
            JobError: the store refused.
        """
        try:
            with path.open("rb") as source:
                self._client.put_object(Bucket=location.bucket, Key=location.key, Body=source)
        except (ClientError, BotoCoreError) as error:
            raise JobError(f"ClientError: Data upload failed: {location.uri}: {error}") from error

    def download_prefix(
        self, uri: str, folder: Path, proceed: Callable[[], bool]
    ) -> list[PurePosixPath]:
        """Write every object under a prefix into ``folder``.

        Args:
            uri: the ``s3://`` prefix, or a whole key.
            folder: where the files go; it is created.
            proceed: asked before each object; ``False`` ends the work early.

        Returns:
            The files' paths relative to ``folder``, in key order.

        Raises:
            JobError: nothing is there, a key would leave the folder, or the store refused.
        """
        prefix = Location.parse(uri)
        folder.mkdir(parents=True, exist_ok=True)
        names: list[PurePosixPath] = []
        try:
            for key in self.keys(prefix):
                if not proceed():
                    return names
                name = name_below(prefix.key, key)
                self.download(Location(prefix.bucket, key), folder / name)
                names.append(name)
        except (ClientError, BotoCoreError) as error:
            raise JobError(f"ClientError: Data download failed: {uri}: {error}") from error
        if not names:
            raise JobError(
                f'ClientError: Data download failed: No S3 objects found under S3 URL "{uri}" '
                "given in input data source. Please ensure that the bucket exists and that "
                "objects exist under that S3 prefix."
            )
        return names


def name_below(prefix: str, key: str) -> PurePosixPath:
    """The name that an object gets below the folder its prefix is copied to.

    A prefix that names a folder is cut off whole; one that ends inside a name keeps that name, as
    does a prefix that is the whole key.

    Raises:
        JobError: the name would lie outside the folder.
    """
    rest = key[len(prefix) :]
    if not prefix.endswith("/") and not rest.startswith("/"):
        rest = key[prefix.rfind("/") + 1 :]
    parts = rest.lstrip("/").split("/")
    if ".." in parts or "\0" in rest:
        raise JobError(f"ClientError: Data download failed: the key {key} leaves its folder")
    return PurePosixPath(*parts)
