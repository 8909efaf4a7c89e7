"""What every catalog is at: what serves, what runs, what waits, and what nobody reads.

Asks a stack, the laptop's or one in an account, with the calls that any AWS user has.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from recommender.catalog.keys import catalog_of_key, expected_of, prefix_of_stray
from recommender.errors import InvalidCatalogNameError
from recommender.pipeline.manifests import summary
from recommender.pipeline.pointers import Pointer
from recommender.pipeline.run_files import RunFiles, pointer_key, withdrawn_key

_NEWEST_RUNS = 5
_ABSENT = frozenset({"NoSuchKey", "404"})


@dataclass
class CatalogStatus:
    """One catalog.

    Attributes:
        name: the catalog's.
        ratings: how many objects lie under its ratings.
        settings: how many lie beside them.
        serves: which run serves what, in words.
        last: what the last run came to, in its own words.
        now: what is going on, in words.
    """

    name: str
    ratings: int = 0
    settings: int = 0
    serves: str = "nothing yet"
    last: str = "none"
    now: list[str] = field(default_factory=list)


def status(
    client: Callable[[str], Any], outputs: Mapping[str, str]
) -> tuple[list[CatalogStatus], dict[str, tuple[str, int]]]:
    """Look at a stack.

    Args:
        client: makes a boto3 client of a service.
        outputs: the stack's.

    Returns:
        Its catalogs by name; and of what lies where nobody reads it, by prefix: one of the keys
        and how many there are.
    """
    s3, artifacts = client("s3"), outputs["ArtifactsBucketName"]
    catalogs: dict[str, CatalogStatus] = {}
    strays: dict[str, tuple[str, int]] = {}
    for key in _keys(s3, outputs["RatingsBucketName"]):
        try:
            name = catalog_of_key(key)
        except InvalidCatalogNameError:
            first, count = strays.get(prefix_of_stray(key), (key, 0))
            strays[prefix_of_stray(key)] = (first, count + 1)
            continue
        one = catalogs.setdefault(name, CatalogStatus(name))
        if key.startswith("ratings/"):
            one.ratings += 1
        else:
            one.settings += 1
    for key in _keys(s3, artifacts, "current/"):
        name = key.removeprefix("current/").removesuffix(".json")
        catalogs.setdefault(name, CatalogStatus(name))
    for one in catalogs.values():
        _look(one, s3, artifacts, client("dynamodb"), outputs["StateTableName"])
    return [catalogs[name] for name in sorted(catalogs)], strays


def sentences(
    catalogs: list[CatalogStatus], strays: Mapping[str, tuple[str, int]]
) -> Iterator[str]:
    """Say it, line by line."""
    if not catalogs:
        yield "No catalog yet: upload a file of ratings as ratings/<catalog>/<file>."
    for one in catalogs:
        yield f"{one.name}: {one.ratings} files of ratings, {one.settings} beside them"
        yield f"  serves    {one.serves}"
        yield f"  last run  {one.last}"
        yield from (f"  now       {what}" for what in one.now)
    for prefix, (key, count) in sorted(strays.items()):
        more = f" and {count - 1} more in {prefix or 'the root'}" if count > 1 else ""
        yield f"Nobody reads {key}{more}. {expected_of(key)}."


def _look(one: CatalogStatus, s3: Any, artifacts: str, dynamodb: Any, table: str) -> None:
    pointed = _json(s3, artifacts, pointer_key(one.name))
    if pointed:
        pointer = Pointer.from_dict(pointed)
        one.serves = ", ".join(
            f"{model} model of {run}" for model, run in pointer.models.items() if run
        )
    record = _newest(s3, artifacts, one.name)
    if record:
        one.last = f"{record['runId']}, {record['finishedAt']}: {summary(record)}"
    withdrawn = _json(s3, artifacts, withdrawn_key(one.name)) or {}
    if withdrawn.get("users"):
        one.now.append(f"{len(withdrawn['users']):,} users whose ratings are gone are not served")
    key = {"catalog": {"S": one.name}, "record": {"S": "lease"}}
    lease = dynamodb.get_item(TableName=table, Key=key).get("Item", {})
    if "owner" in lease:
        waits = ", and files that came since wait" if lease.get("dirty", {}).get("BOOL") else ""
        one.now.append(f"run {lease['owner']['S']} is at work{waits}")
    elif "retry_at" in lease:
        at = datetime.fromtimestamp(float(lease["retry_at"]["N"]), UTC)
        one.now.append(f"the last run failed; another one tries again at {at:%H:%M:%S} UTC")
    elif not pointed and not record and not one.ratings:
        one.now.append(f"waits for ratings: upload a file as ratings/{one.name}/<file>")


def _newest(s3: Any, bucket: str, catalog: str) -> dict[str, Any] | None:
    """The record of the run that ended last; names of runs sort by the time of their files."""
    prefix = f"runs/{catalog}/"
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/"
    )
    names = sorted(one["Prefix"] for page in pages for one in page.get("CommonPrefixes", []))
    runs = (name.removeprefix(prefix).rstrip("/") for name in names[-_NEWEST_RUNS:])
    records = [_json(s3, bucket, RunFiles(catalog, run).manifest) for run in runs]
    return max(
        (record for record in records if record), key=lambda one: one["finishedAt"], default=None
    )


def _keys(s3: Any, bucket: str, prefix: str = "") -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (one["Key"] for one in page.get("Contents", []) if not one["Key"].endswith("/"))


def _json(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
    try:
        return dict(json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise
