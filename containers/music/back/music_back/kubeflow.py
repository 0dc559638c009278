"""Kubeflow Pipelines, by the client that its SDK is built on. Every call has a time limit."""

import json
from pathlib import Path
from typing import Any

import kfp_server_api
import urllib3
import yaml

from music_common.log import logger

log = logger(__name__)

_CALL_S = 15
_EQUALS = 1
"""Of the API's filters."""
_SHIPPED_IMAGE = "music-pipeline-python"
"""What the compiled pipeline calls its image (music_pipeline/definition.py)."""
ENDED_BADLY = {"FAILED", "CANCELED", "SKIPPED"}


class Away(Exception):
    """Kubeflow Pipelines does not answer, or does not take what it is asked."""


class Kubeflow:
    """Starts pipelines and tells how they are.

    Args:
        url: of the API server.
        file: the compiled pipeline.
        image: what its steps run in.
    """

    def __init__(self, url: str, file: Path, image: str) -> None:
        self._spec: dict[str, Any] = yaml.safe_load(file.read_text())
        for executor in self._spec["deploymentSpec"]["executors"].values():
            if executor["container"]["image"] != _SHIPPED_IMAGE:
                raise ValueError(f"{file}: expected the image {_SHIPPED_IMAGE}, got {executor['container']['image']}")
            executor["container"]["image"] = image
        configuration = kfp_server_api.Configuration(host=url)
        configuration.retries = urllib3.Retry(total=2, connect=2, read=0, backoff_factor=0.2, backoff_jitter=0.2)
        self._runs = kfp_server_api.RunServiceApi(kfp_server_api.ApiClient(configuration))

    def start(self, name: str, arguments: dict[str, Any]) -> str:
        """Start the pipeline, unless one of that name was started already. Return its id.

        Raises:
            Away: not now.
        """
        body = kfp_server_api.V2beta1Run(
            display_name=name,
            pipeline_spec=self._spec,
            runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=arguments),
        )
        return self._find(name) or str(self._call("run_service_create_run", run=body).run_id)

    def state(self, pipeline: str) -> tuple[str, str]:
        """Return the state of a pipeline, such as RUNNING, and what is said of its failure.

        Raises:
            Away: not known now.
        """
        run = self._call("run_service_get_run", run_id=pipeline)
        return str(run.state or "PENDING"), str(run.error.message) if run.error else ""

    def terminate(self, pipeline: str) -> None:
        """End a pipeline.

        Raises:
            Away: not now.
        """
        self._call("run_service_terminate_run", run_id=pipeline)

    def _find(self, name: str) -> str | None:
        predicate = {"operation": _EQUALS, "key": "display_name", "stringValue": name}
        found = self._call("run_service_list_runs", page_size=1, filter=json.dumps({"predicates": [predicate]}))
        return str(found.runs[0].run_id) if found.runs else None

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._runs, operation)(**arguments, _request_timeout=_CALL_S)
        except (kfp_server_api.ApiException, urllib3.exceptions.HTTPError) as error:
            words = f"{error.status} {error.reason}" if isinstance(error, kfp_server_api.ApiException) else str(error)
            raise Away(f"Kubeflow Pipelines: {words[:500]}") from error
