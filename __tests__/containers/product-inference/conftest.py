"""The model and the services of the tests."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import MODEL, SERVICE, Service

from product_inference.attributes import Describer, read_taxonomy
from product_inference.model import EmbeddingModel


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="product-inference-tests-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The folder of all-MiniLM-L6-v2, made where it is not there yet."""
    subprocess.run([sys.executable, "-m", "minilm", str(MODEL)], cwd=SERVICE, check=True, timeout=400)
    return MODEL


@pytest.fixture(scope="session")
def model(model_folder: Path) -> EmbeddingModel:
    """The model, on the processor."""
    return EmbeddingModel(model_folder, "cpu")


@pytest.fixture(scope="session")
def describer(model: EmbeddingModel) -> Describer:
    """Infers attributes with the model."""
    return Describer(model, read_taxonomy())


@pytest.fixture(scope="session")
def service(model_folder: Path, scratch: Path) -> Iterator[Service]:
    """The service with small limits."""
    assert model_folder == MODEL
    limits = {"INFERENCE_MAX_TEXTS": "100", "INFERENCE_MAX_PRODUCTS": "40", "INFERENCE_MAX_CHARACTERS": "2000"}
    running = Service(scratch, INFERENCE_MAX_BODY_BYTES="100000", **limits)
    yield running
    assert running.stop() == 0
