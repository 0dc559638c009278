"""Makes sure, before the first job, that every protection of the sandbox takes effect on this machine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from nanogrid_worker.errors import InfrastructureError, ProtectionMissing
from nanogrid_worker.sandbox.engine import Engine, Spec
from nanogrid_worker.sandbox.sandbox import Sandbox

_PROBE = Path(__file__).parent / "probe"
_PROBE_MEMORY_MB = 64
_PROBE_TIMEOUT_S = 30
_NO_CAPABILITIES = "0000000000000000"
_FILTERED = "2"
_ENVIRONMENT = {"HOME", "LANG", "LC_CTYPE", "NANOGRID_JOB_ID", "PATH", "TMPDIR"}
# What has credentials for whoever asks: the metadata service of this machine.
_FORBIDDEN = (("169.254.169.254", 80), ("fd00:ec2::254", 80))


def check_protections(
    engine: Engine,
    run_dir: Path,
    work_dir: Path,
    image: str,
    *,
    egress_network: str = "",
    require_user_namespaces: bool = False,
) -> None:
    """Asks the engine, then a function in a real sandbox, and in one with the egress network where there is one.

    A runtime other than the engine's default brings a kernel of its own (gVisor's runsc does), which need not show a
    seccomp filter or the host's user ids to the function; all the rest has to hold there too.

    Args:
        engine, run_dir, work_dir: as for Sandbox.
        image: image of the runtime.
        egress_network: the engine's network of functions with egress; empty where there is none.
        require_user_namespaces: whether a container's root must not be the host's root.

    Raises:
        ProtectionMissing: naming everything that is missing.
    """
    missing = missing_in_engine(engine.info(), _has_swap(), require_user_namespaces)
    if missing:
        raise ProtectionMissing(f"the engine lacks {'; '.join(missing)}.")
    spec = Spec(image=image, code=_PROBE, memory_mb=_PROBE_MEMORY_MB, job_id="probe")
    found = _probe(engine, run_dir, work_dir, spec)
    missing = missing_in_sandbox(found, wants_seccomp=not engine.has_own_kernel)
    if found["interfaces"] != ["lo"]:
        missing.append(f"there is a network: {found['interfaces']}")
    if require_user_namespaces and not engine.has_own_kernel and found["uid_map"][:2] == ["0", "0"]:
        missing.append("root is the host's root: run the engine with userns-remap")
    if missing:
        raise ProtectionMissing(f"in the sandbox {'; '.join(missing)}.")
    if egress_network:
        found = _probe(engine, run_dir, work_dir, replace(spec, network=egress_network))
        missing = missing_in_sandbox(found, wants_seccomp=not engine.has_own_kernel)
        if missing:
            raise ProtectionMissing(f"in the sandbox with the network {egress_network} {'; '.join(missing)}.")


def _probe(engine: Engine, run_dir: Path, work_dir: Path, spec: Spec) -> dict[str, Any]:
    """What the probe finds in a sandbox."""
    job: dict[str, Any] = {
        "job_id": "probe",
        "handler": "main.handler",
        "input": {"connect": _FORBIDDEN},
        "environment": {},
    }
    try:
        sandbox = Sandbox(engine, run_dir, work_dir, spec)
        try:
            outcome, _ = sandbox.run(job, _PROBE_TIMEOUT_S)
        finally:
            sandbox.close()
    except InfrastructureError as error:
        raise ProtectionMissing(f"the sandbox could not be tried: {error}") from error
    if outcome.code != "ok":
        raise ProtectionMissing(
            f"the sandbox could not be tried: {outcome.code}: {outcome.message} {outcome.error or ''}"
        )
    found: dict[str, Any] = outcome.output
    return found


def missing_in_engine(info: dict[str, Any], has_swap: bool, require_user_namespaces: bool) -> list[str]:
    """What an engine, by its own account, cannot do."""
    needs = {
        "MemoryLimit": "memory limits: enable the memory cgroup",
        "PidsLimit": "process limits: enable the pids cgroup",
        "CpuCfsQuota": "processor limits: enable CPU quotas in the kernel",
    }
    missing = [what for key, what in needs.items() if not info.get(key)]
    if has_swap and not info.get("SwapLimit"):
        missing.append("swap limits, and this machine has swap: turn it off, or boot with swapaccount=1")
    options = info.get("SecurityOptions") or []
    if not any(option.startswith("name=seccomp") for option in options):
        missing.append("seccomp: run an engine with its default profile")
    elif any("profile=unconfined" in option for option in options):
        missing.append("a seccomp profile: run the engine with its default one")
    if require_user_namespaces and not any(option.startswith("name=userns") for option in options):
        missing.append("user namespaces: set userns-remap in the engine's daemon.json")
    return missing


def missing_in_sandbox(found: dict[str, Any], wants_seccomp: bool) -> list[str]:
    """What a function found that it should not have."""
    capabilities = {name: value for name, value in found["capabilities"].items() if value != _NO_CAPABILITIES}
    stray = sorted(set(found["environment"]) - _ENVIRONMENT)
    checks = (
        (found["uid"] == 0 or found["gid"] == 0 or 0 in found["groups"], "the function is root"),
        (bool(capabilities), f"capabilities are left: {capabilities}"),
        (found["no_new_privileges"] != "1", "privileges can be gained (no-new-privileges is off)"),
        (wants_seccomp and found["seccomp"] != _FILTERED, "no seccomp filter applies"),
        (bool(found["reached"]), f"the metadata service answers: {found['reached']}"),
        (bool(found["writable"]), f"folders can be written: {found['writable']}"),
        (bool(stray), f"the environment has {stray}"),
        (bool(found["opened"]), f"the function looks into the runner: {found['opened']}"),
    )
    return [what for is_missing, what in checks if is_missing]


def _has_swap() -> bool:
    return len(Path("/proc/swaps").read_text().splitlines()) > 1
