"""Cloud Storage's buckets: their attributes, and who may do what with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.storage import Storage

from standins.gcp.errors import ApiError, already_exists, not_found, precondition_failed
from standins.gcp.policies import Policies
from standins.http import Reply, json_reply, raw_path, read_body

Document = dict[str, Any]

_BUCKET = re.compile(r"^(?:/storage/v1)?/b(?:/(?P<name>[-.\w]+)(?P<part>/iam|/anywhereCaches)?)?/?$")
#: What a request may not set.
_READ_ONLY = {"kind", "id", "selfLink", "name", "projectNumber", "timeCreated", "updated", "metageneration", "etag"}
_MULTI_REGIONS = {"US", "EU", "ASIA"}


class Buckets:
    """The emulator drops every attribute of a new bucket, removes none by a patch, and keeps policies' etags constant.

    So a bucket would come back in the wrong place, public and unversioned, and two writers of a policy would undo each
    other.
    """

    def __init__(self, application: WSGIApplication, storage: Storage) -> None:
        self._application = application
        self._storage = storage
        self._policies = Policies()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        match = _BUCKET.match(raw_path(environ))
        if match is None:
            return self._application(environ, start_response)
        method, name = environ["REQUEST_METHOD"], match["name"]
        try:
            if name is None and method == "POST":
                reply = self._insert(json.loads(read_body(environ)))
            elif match["part"] == "/anywhereCaches" and method == "GET":
                reply = json_reply(200, {"kind": "storage#anywhereCaches", "items": []})
            elif match["part"] == "/iam" and method in ("GET", "PUT"):
                reply = self._policy(name, json.loads(read_body(environ)) if method == "PUT" else None)
            elif match["part"]:
                raise NotImplementedError(f"no such method of Cloud Storage: {method} {match['part']}")
            elif name and method in ("PATCH", "PUT"):
                reply = self._change(name, json.loads(read_body(environ)))
            elif name and method == "DELETE":
                reply = self._delete(name)
            else:
                return self._application(environ, start_response)
        except ApiError as error:
            reply = error.reply()
        return reply.send(start_response)

    def _find(self, name: str) -> Document:
        bucket: Document | None = self._storage.get_bucket(name)
        if bucket is None:
            raise not_found(f"The bucket {name}")
        return bucket

    def _insert(self, wanted: Document) -> Reply:
        if not wanted.get("name"):
            raise ApiError(400, "INVALID_ARGUMENT", "A bucket needs a name.", "required")
        bucket = create_bucket(wanted["name"], self._storage)
        if not bucket:
            raise already_exists(f"The bucket {wanted['name']}")
        return json_reply(200, self._write(bucket, wanted))

    def _change(self, name: str, wanted: Document) -> Reply:
        bucket = self._find(name)
        bucket["metageneration"] = str(int(bucket["metageneration"]) + 1)
        return json_reply(200, self._write(bucket, wanted))

    def _write(self, bucket: Document, wanted: Document) -> Document:
        _merge(bucket, {key: value for key, value in wanted.items() if key not in _READ_ONLY})
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        bucket["updated"] = now
        bucket["etag"] = f"CA{bucket['metageneration']}="
        bucket["location"] = str(bucket["location"]).upper()
        bucket["locationType"] = "multi-region" if bucket["location"] in _MULTI_REGIONS else "region"
        access = bucket.setdefault("iamConfiguration", {})
        access.setdefault("publicAccessPrevention", "inherited")
        uniform = access.setdefault("uniformBucketLevelAccess", {"enabled": False})
        if uniform.get("enabled"):
            uniform.setdefault("lockedTime", now)
        access["bucketPolicyOnly"] = dict(uniform)
        if "softDeletePolicy" in bucket:
            bucket["softDeletePolicy"].setdefault("effectiveTime", now)
        self._storage.create_bucket(bucket["name"], bucket)
        return bucket

    def _delete(self, name: str) -> Reply:
        self._find(name)
        if self._storage.objects.get(name):
            raise ApiError(
                409, "FAILED_PRECONDITION", f"The bucket {name} you tried to delete is not empty.", "conflict"
            )
        self._storage.delete_bucket(name)
        self._policies.forget(name)
        return Reply(204)

    def _policy(self, name: str, wanted: Document | None) -> Reply:
        self._find(name)
        if wanted is not None and not self._policies.write(name, wanted):
            raise precondition_failed()
        policy = {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{name}", **self._policies.read(name)}
        return json_reply(200, policy)


def _merge(document: Document, patch: Document) -> None:
    """Merges a JSON patch as Google's APIs do: null removes, objects merge, everything else replaces."""
    for key, value in patch.items():
        if value is None:
            document.pop(key, None)
        elif isinstance(value, dict) and isinstance(document.get(key), dict):
            _merge(document[key], value)
        elif isinstance(value, dict):
            document[key] = {}
            _merge(document[key], value)
        else:
            document[key] = value
