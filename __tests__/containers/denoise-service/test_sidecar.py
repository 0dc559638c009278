"""The metrics sidecar: what it reads from Triton, and what it brings to CloudWatch."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from support.processes import (
    REGION,
    SERVICE,
    Aws,
    Process,
    Triton,
    free_port,
    wait_until,
)

from denoise_service.sidecar import metrics_of

WITH_GPUS = """\
# HELP nv_inference_pending_request_count Instantaneous number of pending requests awaiting execution per-model.
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="efficient",version="1"} 3
nv_inference_pending_request_count{model="powerful",version="1"} 4
# HELP nv_gpu_utilization GPU utilization rate [0.0 - 1.0)
# TYPE nv_gpu_utilization gauge
nv_gpu_utilization{gpu_uuid="GPU-1"} 0.5
nv_gpu_utilization{gpu_uuid="GPU-2"} 0.75
# HELP nv_gpu_memory_used_bytes GPU used memory, in bytes
# TYPE nv_gpu_memory_used_bytes gauge
nv_gpu_memory_used_bytes{gpu_uuid="GPU-1"} 1000
nv_gpu_memory_used_bytes{gpu_uuid="GPU-2"} 500
"""


def test_metrics_are_summed_over_models_and_gpus() -> None:
    assert metrics_of(WITH_GPUS) == [
        {"MetricName": "PendingRequests", "Unit": "Count", "Value": 7},
        {"MetricName": "GpuUtilization", "Unit": "Percent", "Value": 62.5},
        {"MetricName": "GpuMemoryUsed", "Unit": "Bytes", "Value": 1500},
    ]


def test_triton_without_a_gpu_has_pending_requests_alone(triton: Triton) -> None:
    text = requests.get(f"http://127.0.0.1:{triton.metrics}/metrics", timeout=5).text
    assert metrics_of(text) == [{"MetricName": "PendingRequests", "Unit": "Count", "Value": 0}]


def test_what_is_no_metrics_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid labels"):
        metrics_of("{not metrics")


def published(aws: Aws, since: datetime) -> list[Any]:
    """Return what CloudWatch has for the service."""
    answer = aws.client("cloudwatch").get_metric_statistics(
        Namespace="Denoise",
        MetricName="PendingRequests",
        Dimensions=[
            {"Name": "ClusterName", "Value": "grid"},
            {"Name": "ServiceName", "Value": "triton"},
        ],
        StartTime=since,
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=60,
        Statistics=["SampleCount", "Average"],
    )
    points: list[Any] = answer["Datapoints"]
    return points


def test_the_sidecar_publishes_and_goes_on_while_triton_is_away(aws: Aws, triton: Triton, scratch: Path) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "DDN_ECS_CLUSTER": "grid",
        "DDN_ECS_SERVICE": "triton",
        "DDN_METRICS_INTERVAL_SECONDS": "0.2",
    }
    arguments = [sys.executable, "-m", "denoise_service.sidecar"]
    nowhere = {
        **environment,
        "DDN_TRITON_METRICS": f"http://127.0.0.1:{free_port()}/metrics",
    }
    away = Process(arguments, scratch / "sidecar-away.log", nowhere, SERVICE)
    wait_until(
        lambda: away.log().count("Triton's metrics cannot be read") >= 2,
        20,
        "it tries again",
    )
    assert away.stop() == 0
    assert published(aws, since) == []
    there = {
        **environment,
        "DDN_TRITON_METRICS": f"http://127.0.0.1:{triton.metrics}/metrics",
    }
    sidecar = Process(arguments, scratch / "sidecar.log", there, SERVICE)
    points = wait_until(lambda: published(aws, since), 20, f"it publishes: {sidecar.log()}")
    assert sidecar.stop() == 0
    assert points[0]["Average"] == 0


def test_a_sidecar_without_its_settings_names_each(scratch: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DDN_"))}
    sidecar = Process(
        [sys.executable, "-m", "denoise_service.sidecar"],
        scratch / "unset.log",
        kept,
        SERVICE,
    )
    wait_until(lambda: "DDN_ECS_SERVICE: is not set." in sidecar.log(), 20, sidecar.log())
    assert "AWS_REGION: is not set. Set it to the region of CloudWatch, such as ap-northeast-2." in sidecar.log()
    sidecar.kill()
