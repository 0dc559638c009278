"""EFS: policies of backups, and of file systems."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.efs.models import EFSBackend
from moto.efs.responses import EFSResponse

from standins.aws.gaps.extend import add, wrap

_JSON = {"Content-Type": "application/json"}


class FilePolicies:
    """moto cannot be told whether a file system is backed up, and keeps its policy for good."""

    def install(self) -> None:
        """Extends moto."""

        @add(EFSResponse, "put_backup_policy")
        def put_backup_policy(response: EFSResponse) -> tuple[str, dict[str, str]]:
            policy: dict[str, str] = response._get_param("BackupPolicy")
            _attributes_of(response)["_backup"] = policy["Status"] == "ENABLED"
            return json.dumps({"BackupPolicy": policy}), _JSON

        @wrap(EFSBackend, "describe_backup_policy")
        def describe_backup_policy(
            original: Callable[..., dict[str, str]], backend: EFSBackend, file_system_id: str
        ) -> dict[str, str]:
            # A file system that was never backed up has no policy at AWS; here it has one that says so.
            is_backed_up = backend.file_systems_by_id[file_system_id].backup_policy
            return original(backend, file_system_id) if is_backed_up else {"Status": "DISABLED"}

        @add(EFSResponse, "delete_file_system_policy")
        def delete_file_system_policy(response: EFSResponse) -> tuple[str, dict[str, str]]:
            _attributes_of(response)["file_system_policy"] = None
            return "{}", _JSON


def _attributes_of(response: EFSResponse) -> dict[str, Any]:
    return vars(response.efs_backend.file_systems_by_id[response._get_param("FileSystemId")])
