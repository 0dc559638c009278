"""Helpers of the tests. The programs' packages lie in folders of their own: they are put on the path here."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
MUSIC = ROOT / "containers" / "music"
PATHS = [
    *(MUSIC / name for name in ("common", "back", "first-stage", "second-stage", "pipeline")),
    MUSIC / "second-stage" / "training",
    ROOT / "local" / "kubeflow",
]

sys.path.extend(str(path) for path in PATHS)
