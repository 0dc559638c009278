"""Memory: what an image takes does not grow with its height."""

import json
import subprocess
import sys
from typing import Any

from support.processes import ROOT, SERVICE

WIDTH = 2000
GROWTH_MIB = 16
"""What a process' memory wavers by between two runs. The higher image has 46 MiB more of pixels."""


def measure(height: int) -> dict[str, Any]:
    """Pass an image through in a process of its own.

    Without the model it is the same stream of bands and tiles, in a second instead of minutes.
    """
    tests = ROOT / "__tests__" / "containers" / "denoise-service"
    size = [f"--width={WIDTH}", f"--height={height}", "--strength=0"]
    ended = subprocess.run(
        [sys.executable, "-m", "support.memory", "--triton=127.0.0.1:1", *size],
        cwd=tests,
        env={"PYTHONPATH": f"{tests}:{SERVICE}", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


def test_memory_does_not_grow_with_the_height_of_an_image() -> None:
    low, high = measure(4000), measure(16_000)
    assert high["peakMib"] - low["peakMib"] < GROWTH_MIB, (low, high)
