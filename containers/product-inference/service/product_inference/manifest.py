"""A folder with a model: what its manifest says, and whether its files are the ones that it means."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

MANIFEST = "model.json"
_BLOCK = 1024 * 1024


class BadModel(Exception):
    """A folder that holds no model, or another one than its manifest says."""


class ModelFile(BaseModel):
    """One file of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(pattern=r"^[\w.-]+$", description="name in the folder")
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    url: str | None = Field(None, pattern=r"^https?://", description="where product_inference.fetch gets it from")


class Manifest(BaseModel):
    """What is to be known of a sentence embedding model beside its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    name: str = Field(min_length=1)
    dimensions: int = Field(ge=1, le=8192)
    max_tokens: int = Field(ge=8, le=8192, description="tokens of a text; what is beyond them is not read")
    pooling: Literal["mean", "cls"] = Field(description="how the tokens' vectors become the text's")
    query_prefix: str = Field(description="put before a text that is searched with")
    document_prefix: str = Field(description="put before a text that is found")
    files: tuple[ModelFile, ...] = Field(min_length=1, description="model.onnx, tokenizer.json, and what they refer to")


def read_manifest(file: Path) -> Manifest:
    """Read a manifest.

    Raises:
        BadModel: it is not there, or not valid.
    """
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except OSError as error:
        raise BadModel(f"{file}: {error.strerror}. Set INFERENCE_MODEL_DIR to a folder with a model.") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise BadModel(f"{file}: {wrong}") from None


def open_folder(folder: Path) -> Manifest:
    """Read a folder's manifest, and see that each file has its size. Hashes are checked when the folder is made.

    Raises:
        BadModel: naming what is missing or wrong.
    """
    manifest = read_manifest(folder / MANIFEST)
    for file in manifest.files:
        path = folder / file.path
        size = path.stat().st_size if path.is_file() else None
        if size != file.bytes:
            found = "is not there" if size is None else f"has {size} bytes"
            raise BadModel(f"{path} {found}, expected {file.bytes} bytes. Build the image, or the folder, again.")
    return manifest


def check_file(path: Path, file: ModelFile) -> None:
    """See that a file is the one that the manifest means.

    Raises:
        BadModel: it is another one.
    """
    found = sha256_of(path)
    if found != file.sha256:
        raise BadModel(
            f"{file.path}: SHA-256 {found}, expected {file.sha256}. The file is not the one that was chosen."
        )


def describe(path: Path) -> dict[str, object]:
    """Return a file's entry for a manifest."""
    return {"path": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while block := opened.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
