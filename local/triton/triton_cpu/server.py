"""How the server of the nvidia-pytriton package is started with a backend named `onnxruntime`.

In production that backend is NVIDIA's own, in C++ on the GPU. Triton serves models of a backend in Python too, when the
backend's folder holds a `model.py`: so here the same model repository runs unchanged, and only `--backend-directory`
differs.
"""

import os
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

THREADS_VARIABLE = "TRITON_CPU_THREADS"
_STUB = "triton_python_backend_stub"


@dataclass(frozen=True)
class ServerOptions:
    """What a server is told."""

    model_repository: Path
    http_port: int
    grpc_port: int
    metrics_port: int
    threads: int = 0
    """Threads of one model; 0: one per processor."""


def command(options: ServerOptions) -> list[str]:
    """Return the command line: loopback only, and an exit when a model cannot be loaded, as in production."""
    return [
        str(_package() / "tritonserver" / "bin" / "tritonserver"),
        f"--model-repository={options.model_repository.resolve()}",
        f"--backend-directory={_backends()}",
        "--http-address=127.0.0.1",
        "--grpc-address=127.0.0.1",
        "--metrics-address=127.0.0.1",
        f"--http-port={options.http_port}",
        f"--grpc-port={options.grpc_port}",
        f"--metrics-port={options.metrics_port}",
    ]


def environment(options: ServerOptions) -> dict[str, str]:
    """Return the server's environment: its own libraries, and this interpreter for its Python backend."""
    libraries = [_package().parent / "nvidia_pytriton.libs", Path(sysconfig.get_config_var("LIBDIR"))]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        # The stub embeds Python, and finds the standard library and packages as the first `python3` here would; it
        # heeds none of Python's own variables.
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        THREADS_VARIABLE: str(options.threads),
    }


def _package() -> Path:
    found = find_spec("pytriton")
    if found is None or found.origin is None:
        raise SystemExit("nvidia-pytriton is not installed here. Install local/triton/requirements.lock.")
    return Path(found.origin).parent


def _backends() -> Path:
    """Return the folder of backends, made once for each version of the package and of our own backend.

    It lies in the environment that the package lies in, and goes when that goes.
    """
    own = Path(__file__).parent / "onnxruntime_backend" / "model.py"
    folder = Path(sys.prefix) / "share" / f"triton-cpu-{version('nvidia-pytriton')}-{own.stat().st_mtime_ns}"
    if folder.exists():
        return folder
    folder.parent.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
    unfinished.chmod(0o755)
    server = _package() / "tritonserver"
    python = unfinished / "python"
    shutil.copytree(server / "backends" / "python", python)
    stub = server / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}" / _STUB
    shutil.copy(stub, python / _STUB)
    (python / _STUB).chmod(0o755)
    (unfinished / "onnxruntime").mkdir()
    shutil.copy(own, unfinished / "onnxruntime" / "model.py")
    try:
        unfinished.rename(folder)
    except OSError:
        # Another start was faster.
        shutil.rmtree(unfinished)
    return folder
