"""GPU use as metrics, from NVIDIA's driver where there is one."""

import pynvml
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class _Gpus(Collector):
    def collect(self) -> list[Metric]:
        use = GaugeMetricFamily(
            "music_gpu_use_ratio", "Share of the last second in which the GPU worked.", labels=["gpu"]
        )
        memory = GaugeMetricFamily("music_gpu_memory_bytes", "GPU memory in use.", labels=["gpu"])
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            use.add_metric([str(index)], pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
            memory.add_metric([str(index)], pynvml.nvmlDeviceGetMemoryInfo(handle).used)
        return [use, memory]


def watch_gpus(registry: CollectorRegistry) -> bool:
    """Add the GPUs' metrics. Return whether there is a driver; without one there are no such metrics."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    registry.register(_Gpus())
    return True
