"""Fetching a model into an image, from a real HTTP server."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.processes import ROOT

from product_inference.fetch import fetch
from product_inference.manifest import MANIFEST, BadModel, open_folder, read_manifest

CONTENT = b"weights" * 1000


class _Handler(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        """Answer by the path."""
        first = self.path not in self.asked
        self.asked.append(self.path)
        status = {"/missing": 404, "/broken": 500}.get(self.path, 503 if self.path == "/shaky" and first else 200)
        body = CONTENT[:-1] if self.path == "/short" else CONTENT + b"more" if self.path == "/long" else CONTENT
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server with weights, and what it was asked for."""
    asked: list[str] = []
    running = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"asked": asked}))
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}", asked
    running.shutdown()
    thread.join()
    running.server_close()


def manifest(folder: Path, url: str, content: bytes = CONTENT) -> Path:
    file = {"path": "model.onnx", "url": url, "bytes": len(CONTENT), "sha256": hashlib.sha256(content).hexdigest()}
    own = {"name": "m", "dimensions": 4, "maxTokens": 8, "pooling": "cls", "queryPrefix": "", "documentPrefix": ""}
    path = folder / "manifest.json"
    path.write_text(json.dumps({**own, "files": [file]}))
    return path


def test_a_model_is_fetched_after_a_failure_and_is_then_whole(server: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = server
    fetch(manifest(tmp_path, f"{url}/shaky"), tmp_path / "model", pause_s=0.01)
    assert asked == ["/shaky", "/shaky"]
    assert (tmp_path / "model" / "model.onnx").read_bytes() == CONTENT
    assert open_folder(tmp_path / "model").dimensions == 4


@pytest.mark.parametrize(
    ("path", "said", "attempts"),
    [
        ("/missing", "404", 1),
        ("/broken", "500", 4),
        ("/short", "6999 of 7000 bytes came", 4),
        ("/long", "more than 7000", 4),
    ],
)
def test_a_model_that_cannot_be_had_whole_is_no_model(
    server: tuple[str, list[str]], tmp_path: Path, path: str, said: str, attempts: int
) -> None:
    url, asked = server
    with pytest.raises(BadModel, match=said):
        fetch(manifest(tmp_path, f"{url}{path}"), tmp_path / "model", pause_s=0.01)
    assert len(asked) == attempts
    assert not (tmp_path / "model" / MANIFEST).exists()


def test_another_file_than_the_chosen_one_is_refused(server: tuple[str, list[str]], tmp_path: Path) -> None:
    url, _ = server
    with pytest.raises(BadModel, match=r"SHA-256 [0-9a-f]{64}, expected"):
        fetch(manifest(tmp_path, f"{url}/", content=b"other"), tmp_path / "model")
    assert not (tmp_path / "model" / MANIFEST).exists()


def test_the_images_model_is_pinned_by_revision_and_hash() -> None:
    found = read_manifest(ROOT / "containers" / "product-inference" / "models" / "mxbai-embed-large-v1.json")
    assert (found.dimensions, found.pooling) == (1024, "cls")
    assert [each.path for each in found.files] == ["model.onnx", "tokenizer.json"]
    assert all(each.url and "/resolve/b33106f585b9ce46904ad7443a3b52b7a63e231c/" in each.url for each in found.files)
