"""The metrics sidecar: `python -m denoise_service.sidecar` brings Triton's metrics to CloudWatch.

What it publishes, each with the dimensions ClusterName and ServiceName, once a task:

- PendingRequests: requests that wait in Triton, over all models. Its average over the tasks is what scaling follows.
- GpuUtilization: percent, the mean over the GPUs. GpuMemoryUsed: bytes, over all GPUs. Neither without a GPU.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from prometheus_client.parser import text_string_to_metric_families

from denoise_service.log import logger, set_up_log
from denoise_service.settings import BadSettings, SidecarSettings, read_settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

log = logger(__name__)
_TIMEOUT_S = 5
_EXIT_BAD_SETTINGS = 64
_CLIENT = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})


def metrics_of(text: str) -> list[MetricDatumTypeDef]:
    """Return what Triton's metrics, in Prometheus' text format, say.

    Raises:
        ValueError: it is no such text.
    """
    values: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values.setdefault(sample.name, []).append(sample.value)
    data: list[MetricDatumTypeDef] = []
    if pending := values.get("nv_inference_pending_request_count"):
        data.append({"MetricName": "PendingRequests", "Unit": "Count", "Value": sum(pending)})
    if use := values.get("nv_gpu_utilization"):
        data.append({"MetricName": "GpuUtilization", "Unit": "Percent", "Value": 100 * sum(use) / len(use)})
    if memory := values.get("nv_gpu_memory_used_bytes"):
        data.append({"MetricName": "GpuMemoryUsed", "Unit": "Bytes", "Value": sum(memory)})
    return data


class Sidecar:
    """Reads and publishes, one interval after the other; whatever fails is tried again at the next."""

    def __init__(self, settings: SidecarSettings) -> None:
        self._settings = settings
        session = boto3.Session(region_name=settings.aws_region)
        self._cloudwatch: CloudWatchClient = session.client("cloudwatch", config=_CLIENT)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Publish until `stop`."""
        interval_s = self._settings.ddn_metrics_interval_seconds
        # Tasks that start together do not publish together.
        self._stopped.wait(random.uniform(0, interval_s))  # noqa: S311 (no secret)
        while not self._stopped.is_set():
            self.publish()
            self._stopped.wait(interval_s)

    def publish(self) -> None:
        """Publish once, or say why not."""
        try:
            answer = requests.get(self._settings.ddn_triton_metrics, timeout=_TIMEOUT_S)
            answer.raise_for_status()
            data = metrics_of(answer.text)
        except (requests.RequestException, ValueError) as error:
            log.warning("Triton's metrics cannot be read", error=str(error))
            return
        if not data:
            log.warning("Triton's metrics have none of those that are published")
            return
        dimensions: list[Any] = [
            {"Name": "ClusterName", "Value": self._settings.ddn_ecs_cluster},
            {"Name": "ServiceName", "Value": self._settings.ddn_ecs_service},
        ]
        try:
            self._cloudwatch.put_metric_data(
                Namespace=self._settings.ddn_metrics_namespace,
                MetricData=[{**datum, "Dimensions": dimensions} for datum in data],
            )
        except (BotoCoreError, ClientError) as error:
            log.warning("CloudWatch did not take the metrics", error=str(error))
            return
        log.debug("published", metrics={datum["MetricName"]: datum.get("Value") for datum in data})

    def stop(self) -> None:
        """End `run` soon."""
        self._stopped.set()


def main() -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    try:
        settings = read_settings(SidecarSettings)
    except BadSettings as error:
        sys.stderr.write(f"denoise-sidecar cannot start:\n{error}\n")
        return _EXIT_BAD_SETTINGS
    set_up_log(settings.ddn_log_level)
    sidecar = Sidecar(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sidecar.stop())
    sidecar.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
