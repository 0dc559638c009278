"""S3: bucket policies and tags."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import xmltodict
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, FakeDeleteMarker
from moto.s3.responses import S3Response

from standins.aws.gaps.extend import add, wrap


class ConditionalStatements:
    """moto takes a bucket policy's statement with a condition for a denial, whatever the condition says.

    A TLS-only bucket would refuse every object. Statements with a condition are kept, returned, and not enforced.
    """

    def install(self) -> None:
        """Extends moto."""

        @wrap(FakeBucket, "get_permission")
        def get_permission(
            _original: Callable[..., Any], bucket: FakeBucket, action: str, resource: str
        ) -> PermissionResult:
            if bucket.policy is None:
                return PermissionResult.NEUTRAL
            policy = json.loads(bucket.policy)
            statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
            policy["Statement"] = [statement for statement in statements if "Condition" not in statement]
            return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


class TagsAtCreation:
    """moto ignores the tags in a CreateBucket request, where the provider sends them."""

    def install(self) -> None:
        """Extends moto."""

        @wrap(S3Response, "_bucket_response_put")
        def put(
            original: Callable[..., Any],
            response: S3Response,
            request: Any,
            bucket_name: str,
            querystring: dict[str, Any],
        ) -> Any:
            answer = original(response, request, bucket_name, querystring)
            if not querystring and response.body:
                configuration = (
                    xmltodict.parse(response.body, force_list=("Tag",)).get("CreateBucketConfiguration") or {}
                )
                tags = (configuration.get("Tags") or {}).get("Tag", [])
                if tags:
                    response.backend.put_bucket_tagging(
                        bucket_name, {tag["Key"]: tag.get("Value") or "" for tag in tags}
                    )
            return answer


class DeletedVersions:
    """moto cannot delete a version that is a delete marker, so a versioned bucket of its can't be emptied."""

    def install(self) -> None:
        """Extends moto."""

        @add(FakeDeleteMarker, "dispose")
        def dispose(_marker: FakeDeleteMarker, garbage: bool = False) -> None:
            """A delete marker holds no content to let go of."""
