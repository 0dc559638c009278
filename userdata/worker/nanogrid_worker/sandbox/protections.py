"""Makes sure, before the first job, that every protection of the sandbox takes effect on this machine."""

from pathlib import Path
from typing import Any

from nanogrid_worker.errors import InfrastructureError, ProtectionMissing
from nanogrid_worker.sandbox.engine import Engine
from nanogrid_worker.sandbox.sandbox import Sandbox

_PROBE = Path(__file__).parent / "probe"
_PROBE_MEMORY_MB = 64
_PROBE_TIMEOUT_S = 30
_NO_CAPABILITIES = "0000000000000000"
_FILTERED = "2"
_ENVIRONMENT = {"HOME", "LANG", "LC_CTYPE", "NANOGRID_JOB_ID", "PATH", "TMPDIR"}


def check_protections(engine: Engine, run_dir: Path, work_dir: Path, image: str) -> None:
    """Asks the engine, then a function in a real sandbox.

    A runtime other than the engine's default brings a kernel of its own (gVisor's runsc does), which need not show a
    seccomp filter to the function; all the rest has to hold there too.

    Raises:
        ProtectionMissing: naming everything that is missing.
    """
    missing = missing_in_engine(engine.info(), has_swap=_has_swap())
    if missing:
        raise ProtectionMissing(f"the engine lacks {'; '.join(missing)}.")
    try:
        sandbox = Sandbox(
            engine, run_dir, work_dir, image=image, code=_PROBE, memory_mb=_PROBE_MEMORY_MB, job_id="probe"
        )
        try:
            job: dict[str, Any] = {"job_id": "probe", "handler": "main.handler", "input": None, "environment": {}}
            outcome, _ = sandbox.run(job, _PROBE_TIMEOUT_S)
        finally:
            sandbox.close()
    except InfrastructureError as error:
        raise ProtectionMissing(f"the sandbox could not be tried: {error}") from error
    if outcome.code != "ok":
        raise ProtectionMissing(
            f"the sandbox could not be tried: {outcome.code}: {outcome.message} {outcome.error or ''}"
        )
    missing = missing_in_sandbox(outcome.output, wants_seccomp=not engine.has_own_kernel)
    if missing:
        raise ProtectionMissing(f"in the sandbox {'; '.join(missing)}.")


def missing_in_engine(info: dict[str, Any], has_swap: bool) -> list[str]:
    """What an engine, by its own account, cannot do."""
    needs = {
        "MemoryLimit": "memory limits: enable the memory cgroup",
        "PidsLimit": "process limits: enable the pids cgroup",
        "CpuCfsQuota": "processor limits: enable CPU quotas in the kernel",
    }
    missing = [what for key, what in needs.items() if not info.get(key)]
    if has_swap and not info.get("SwapLimit"):
        missing.append("swap limits, and this machine has swap: turn it off, or boot with swapaccount=1")
    if not any(option.startswith("name=seccomp") for option in info.get("SecurityOptions") or []):
        missing.append("seccomp: run an engine with its default profile")
    elif any("profile=unconfined" in option for option in info["SecurityOptions"]):
        missing.append("a seccomp profile: run the engine with its default one")
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
        (found["interfaces"] != ["lo"], f"there is a network: {found['interfaces']}"),
        (bool(found["writable"]), f"folders can be written: {found['writable']}"),
        (bool(stray), f"the environment has {stray}"),
    )
    return [what for is_missing, what in checks if is_missing]


def _has_swap() -> bool:
    return len(Path("/proc/swaps").read_text().splitlines()) > 1
