"""What a function finds in its sandbox; the worker asks before its first job, and may not like the answer."""

import os
from pathlib import Path
from typing import Any


def handler(_event: object) -> dict[str, Any]:
    """Reports this process's protections as the kernel sees them."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "capabilities": {name: status[name].strip() for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")},
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "seccomp": status["Seccomp"].strip(),
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "writable": [
            folder for folder in ("/", "/function", "/run/nanogrid", "/opt", "/etc") if os.access(folder, os.W_OK)
        ],
        "environment": sorted(os.environ),
    }
