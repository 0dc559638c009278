"""The service's model repository."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MODELS = PROJECT / "containers" / "denoise" / "models"


def names() -> list[str]:
    """Return the models that the repository holds."""
    return sorted(folder.name for folder in MODELS.iterdir() if (folder / "config.pbtxt").exists())


def model_file(model: str) -> Path:
    """Return a model's ONNX file."""
    return MODELS / model / "1" / "model.onnx"
