"""`python -m kubeflow_standin.execute FOLDER`: runs its pipeline.yaml by the SDK's local runner."""

import json
import sys
from pathlib import Path

from kfp import components, local


def main() -> None:
    """Run it; the exit code says how it ended."""
    folder = Path(sys.argv[1])
    # Each step is a process of its own, in this environment: nothing is installed.
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "steps"))
    pipeline = components.load_component_from_file(str(folder / "pipeline.yaml"))
    pipeline(**json.loads((folder / "arguments.json").read_text()))


if __name__ == "__main__":
    main()
