"""Entry: `python -m triton_cpu`. Becomes the server, so that this process' id is the server's."""

import argparse
import os
import sys
from pathlib import Path

from triton_cpu.server import ServerOptions, command, environment


def main() -> int:
    """Start the server with a model repository that is made for `backend: "onnxruntime"`."""
    parser = argparse.ArgumentParser(prog="triton_cpu", description=__doc__)
    parser.add_argument("--model-repository", type=Path, required=True, help="folder of models, as in production")
    parser.add_argument("--http-port", type=int, default=50201, help="port of HTTP (default: 50201)")
    parser.add_argument("--grpc-port", type=int, default=58202, help="port of gRPC (default: 58202)")
    parser.add_argument("--metrics-port", type=int, default=8002, help="port of metrics (default: 8002)")
    parser.add_argument("--threads", type=int, default=0, help="threads of one model (default: one per processor)")
    parser.add_argument("more", nargs="*", help="options of tritonserver itself, after --")
    given = parser.parse_args()
    if not given.model_repository.is_dir():
        parser.error(f"--model-repository: {given.model_repository} is no folder. Name the one that holds the models.")
    options = ServerOptions(given.model_repository, given.http_port, given.grpc_port, given.metrics_port, given.threads)
    arguments = [*command(options), *given.more]
    os.execve(arguments[0], arguments, environment(options))


if __name__ == "__main__":
    sys.exit(main())
