"""IAM policies of resources, with etags that change."""

from __future__ import annotations

import base64
from typing import Any


class Policies:
    """The policies of resources of one kind. They are kept and returned, not enforced."""

    def __init__(self) -> None:
        self._policies: dict[str, dict[str, Any]] = {}
        self._writes = 0

    def read(self, resource: str) -> dict[str, Any]:
        """The policy of a resource; one without bindings when none was written."""
        return self._policies.get(resource) or {"version": 1, "etag": "ACAB", "bindings": []}

    def write(self, resource: str, wanted: dict[str, Any]) -> bool:
        """Writes a policy, unless it rests on an etag that is no more the resource's: then it returns False."""
        if wanted.get("etag") not in (None, "", self.read(resource)["etag"]):
            return False
        self._writes += 1
        self._policies[resource] = {
            "version": wanted.get("version") or 1,
            "etag": base64.b64encode(f"{self._writes:08}".encode()).decode(),
            "bindings": [binding for binding in wanted.get("bindings") or [] if binding.get("members")],
        }
        return True

    def forget(self, resource: str) -> None:
        """Drops the policy of a resource that is gone."""
        self._policies.pop(resource, None)
