"""What surrounds the images: settings, health checks, metrics, logs, the page, and the store by itself."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from support.pictures import exposure, tiff
from support.processes import (
    OUT_BUCKET,
    REGION,
    SERVICE,
    Aws,
    Service,
    Triton,
    free_port,
)

from denoise_service.problems import Problem
from denoise_service.settings import BadSettings, Settings, read_settings
from denoise_service.store import TRANSFER, Store


def test_wrong_settings_stop_the_start_and_are_all_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_REGION", "DDN_IN_BUCKET", "DDN_OUT_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DDN_TILE", "1000000")
    monkeypatch.setenv("DDN_TRITON_PROTOCOL", "smoke")
    with pytest.raises(BadSettings) as caught:
        read_settings(Settings)
    lines = str(caught.value).splitlines()
    assert lines[0] == "AWS_REGION: is not set. Set it to the region of the buckets, such as ap-northeast-2."
    assert [line.split(":")[0] for line in lines] == [
        "AWS_REGION",
        "DDN_IN_BUCKET",
        "DDN_OUT_BUCKET",
        "DDN_TRITON_PROTOCOL",
        "DDN_TILE",
    ]
    assert "got 'smoke'" in lines[3]


def test_gunicorn_says_which_settings_are_missing() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DDN_"))}
    arguments = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config=gunicorn.conf.py",
        "denoise_service.wsgi:create_app()",
    ]
    ended = subprocess.run(
        arguments,
        cwd=SERVICE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode != 0
    assert "DDN_IN_BUCKET: is not set." in ended.stderr


def test_the_probe_ends_with_what_a_health_check_wants(service: Service) -> None:
    def probe(*arguments: str) -> int:
        command = [sys.executable, "-m", "denoise_service.probe", *arguments]
        return subprocess.run(command, cwd=SERVICE, capture_output=True, timeout=20, check=False).returncode

    assert probe(f"{service.url}/ping") == 0
    assert probe(f"{service.url}/nothing") == 1
    assert probe(f"http://127.0.0.1:{free_port()}/ping") == 1
    assert probe("file:///etc/passwd") == 2


def test_every_line_of_the_log_is_json_and_carries_the_request_s_id(service: Service, aws: Aws) -> None:
    aws.put("logged.tif", tiff(exposure(shape=(64, 64)).counts))
    document = service.post({"file": "logged.tif"}).json()
    lines = [json.loads(line) for line in service.process.log().splitlines()]
    events = [line["event"] for line in lines if line.get("request_id") == document["id"]]
    assert events == ["started", "downloaded", "finished", "answered"]
    assert any("Listening at" in line["event"] for line in lines)


def test_metrics_count_images_pixels_and_steps(service: Service, aws: Aws) -> None:
    aws.put("counted.tif", tiff(exposure(shape=(64, 64)).counts))
    assert service.post({"file": "counted.tif"}).status_code == 200
    text = service.get("/metrics").text
    for name in (
        'denoise_requests_total{model="efficient",status="succeeded"}',
        'denoise_pixels_total{model="efficient"}',
        'denoise_tiles_total{model="efficient"}',
        'denoise_step_seconds_count{step="denoise"}',
    ):
        assert name in text


def test_the_page_is_served_with_headers_that_hold_it_to_its_buckets(
    start_service: Callable[..., Service], triton: Triton, aws: Aws, tmp_path: Path
) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html>µ", encoding="utf-8")
    (folder / "main-1a2b.js").write_text("1")
    (tmp_path / "secret.js").write_text("2")
    page = start_service(triton, DDN_PAGE_DIR=str(folder))
    index = page.get("/")
    assert index.status_code == 200
    assert index.headers["Content-Type"] == "text/html; charset=utf-8"
    assert index.headers["Cache-Control"] == "no-store"
    assert index.headers["X-Content-Type-Options"] == "nosniff"
    policy = index.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert f"connect-src 'self' {aws.url};" in policy
    script = page.get("/page/main-1a2b.js")
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for path in (
        "/page/index.html",
        "/page/none-1a2b.js",
        "/page/../secret.js",
        "/page/..%2fsecret.js",
    ):
        assert page.get(path).status_code == 404, path


def test_an_upload_that_breaks_off_leaves_no_parts(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("AWS_ENDPOINT_URL", aws.url),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ):
        monkeypatch.setenv(name, value)
    store = Store(REGION, "unused", OUT_BUCKET)
    file = tmp_path / "clean"
    with file.open("wb") as opened:
        opened.truncate(TRANSFER.multipart_threshold + 1)

    def break_off(**_: Any) -> None:
        # The upload was begun: this is what the stand-in has of it.
        assert aws.client("s3").list_multipart_uploads(Bucket=OUT_BUCKET)["Uploads"]
        raise EndpointConnectionError(endpoint_url=aws.url)

    store.s3.meta.events.register("before-send.s3.UploadPart", break_off)
    with pytest.raises(Problem) as caught:
        store.upload(file, "broken-off.tif", "image/tiff", {})
    assert caught.value.status == 503
    assert aws.client("s3").list_multipart_uploads(Bucket=OUT_BUCKET).get("Uploads", []) == []
    assert not aws.holds("broken-off.tif")
