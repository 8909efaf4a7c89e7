"""Tags of anything that has an ARN."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from local.sagemaker.account.registry import Caller, Registry
from local.sagemaker.faults import ServiceError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import (
        AddTagsInputTypeDef,
        DeleteTagsInputTypeDef,
        TagTypeDef,
    )

MAX_TAGS = 50


def tags_of(tags: "Iterable[TagTypeDef]") -> dict[str, str]:
    """The tags of a Create* request, by key."""
    return {tag["Key"]: tag["Value"] for tag in tags}


class Tags:
    """AddTags, ListTags and DeleteTags."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add(self, request: "AddTagsInputTypeDef", _: Caller) -> dict[str, object]:
        """Add tags, or change their values; answers with all of them.

        Raises:
            ValidationError: nothing has that ARN.
            ServiceError: ``ResourceLimitExceeded``, more than 50.
        """
        with self._registry.lock:
            record = self._registry.tagged(request["ResourceArn"])
            merged = record.tags | tags_of(request["Tags"])
            if len(merged) > MAX_TAGS:
                raise ServiceError("ResourceLimitExceeded", f"More than {MAX_TAGS} tags.")
            with self._registry.changing(record):
                record.tags = merged
            return {"Tags": _as_list(merged)}

    def list(self, request: Mapping[str, str], _: Caller) -> dict[str, object]:
        """Every tag of a resource, on one page."""
        with self._registry.lock:
            return {"Tags": _as_list(self._registry.tagged(request["ResourceArn"]).tags)}

    def delete(self, request: "DeleteTagsInputTypeDef", _: Caller) -> dict[str, object]:
        """Remove tags by key; a key that is not there is no error."""
        with self._registry.lock:
            record = self._registry.tagged(request["ResourceArn"])
            gone = set(request["TagKeys"])
            with self._registry.changing(record):
                record.tags = {key: value for key, value in record.tags.items() if key not in gone}
        return {}


def _as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
